output "application" {
  description = "The application of CodeDeploy."
  value       = aws_codedeploy_app.this.name
}

output "deployment_group" {
  description = "The deployment group."
  value       = aws_codedeploy_deployment_group.this.deployment_group_name
}

output "deployment_group_arn" {
  description = "The same, for whoever makes deployments."
  value       = aws_codedeploy_deployment_group.this.arn
}

output "application_arn" {
  description = "The application, for whoever registers revisions."
  value       = aws_codedeploy_app.this.arn
}

output "shift_minutes" {
  description = "How long traffic takes from the first share to the last."
  value       = var.traffic.shift == "all-at-once" ? 0 : local.steps * var.traffic.interval_minutes
}

output "role_arn" {
  description = "Role that CodeDeploy works in."
  value       = aws_iam_role.this.arn
}
