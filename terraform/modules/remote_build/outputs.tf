output "contract" {
  description = "What a deploy has to know of it."
  value = {
    project  = aws_codebuild_project.this.name
    bucket   = aws_s3_bucket.sources.bucket
    platform = local.arm ? "linux/arm64" : "linux/amd64"
  }
}

output "project_arn" {
  description = "The project: whoever builds starts its builds."
  value       = local.project
}

output "sources_arn" {
  description = "Where sources are put."
  value       = "${aws_s3_bucket.sources.arn}/sources/*"
}

output "statements" {
  description = "What a build may do."
  value       = jsondecode(aws_iam_role_policy.this.policy).Statement
}
