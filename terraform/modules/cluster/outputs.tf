output "arn" {
  description = "The cluster."
  value       = aws_ecs_cluster.this.arn
}

output "log_groups" {
  description = "Name of the log group, by service."
  value       = { for service, group in aws_cloudwatch_log_group.service : service => group.name }
}

output "log_group_arns" {
  description = "ARNs of the log groups, for the policy of whoever writes them."
  value       = [for group in values(aws_cloudwatch_log_group.service) : group.arn]
}
