output "name" {
  description = "The service."
  value       = local.service
}

output "discovery_arn" {
  description = "Where its tasks are registered for service discovery; null without it."
  value       = one(aws_service_discovery_service.this[*].arn)
}

output "deployment_alarms" {
  description = "Alarms that end a rollout, by name."
  value       = local.alarms
}

output "capacity" {
  description = "How its tasks are divided between the capacity providers; empty when all are on demand."
  value       = [for provider, share in local.capacity : { provider = provider, base = share.base, weight = share.weight }]
}
