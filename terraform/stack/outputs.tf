output "contract" {
  description = "Parameter that a deploy reads."
  value       = module.contract.name
}

output "url" {
  description = "Where the application is reached."
  value       = module.contract.url
}

output "load_balancer" {
  description = "Host name that the DNS record of `domain` must lead to."
  value       = module.load_balancer.dns_name
}

output "alarm_topic" {
  description = "SNS topic where alarms are told; null without `alarms`."
  value       = one(module.observability[*].topic_arn)
}

output "repository" {
  description = "Repository of the images."
  value       = module.registry.url
}

output "ci_roles" {
  description = "Roles of the CI system's jobs, by job; the deploy role is not among them."
  value       = module.ci_identity.role_arns
}

output "cluster" {
  description = "The cluster."
  value       = module.cluster.arn
}

output "deploy_role" {
  description = "Role that releases, for `account.role.arn` of environments/ENV.toml; null when there is none."
  value       = one(module.deploy_role[*].role_arn)
}

output "pipeline" {
  description = "The pipeline; null when there is none."
  value       = one(module.pipeline[*].name)
}
