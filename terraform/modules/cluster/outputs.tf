output "arn" {
  description = "The cluster."
  value       = aws_ecs_cluster.this.arn
}

output "name" {
  description = "Name of the cluster, as metrics know it."
  value       = aws_ecs_cluster.this.name
}

output "capacity_providers" {
  description = "What a service's strategy may name, once the cluster has it."
  value       = length(aws_ecs_cluster_capacity_providers.this) > 0 ? aws_ecs_cluster_capacity_providers.this[0].capacity_providers : toset([])
}

output "exec_log_group_arn" {
  description = "Where shells are written down, for the policy of the tasks; null without `exec_logging`."
  value       = one(aws_cloudwatch_log_group.exec[*].arn)
}

output "log_groups" {
  description = "Name of the log group, by service."
  value       = { for service, group in aws_cloudwatch_log_group.service : service => group.name }
}

output "log_group_arns" {
  description = "ARNs of the log groups, for the policy of whoever writes them."
  value       = [for group in values(aws_cloudwatch_log_group.service) : group.arn]
}
