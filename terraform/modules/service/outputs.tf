output "name" {
  description = "The service."
  value       = aws_ecs_service.this.name
}

output "discovery_arn" {
  description = "Where its tasks are registered for service discovery; null without it."
  value       = one(aws_service_discovery_service.this[*].arn)
}

output "deployment_alarms" {
  description = "Alarms that end a rollout, by name."
  value       = local.alarms
}
