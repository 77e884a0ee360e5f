output "name" {
  description = "The pipeline."
  value       = aws_codepipeline.this.name
}

output "arn" {
  description = "The pipeline's ARN, for whoever may start it or approve."
  value       = aws_codepipeline.this.arn
}

output "project" {
  description = "The CodeBuild project."
  value       = aws_codebuild_project.this.name
}

output "topic_arn" {
  description = "Where executions are told; null when nobody is."
  value       = local.tell
}

output "actions" {
  description = "Who does what: the provider of each action, by STAGE/ACTION."
  value       = merge([for stage in aws_codepipeline.this.stage : { for action in stage.action : "${stage.name}/${action.name}" => action.provider }]...)
}
