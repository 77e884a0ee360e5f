output "family" {
  description = "Family that a deploy registers revisions in; Terraform never writes there."
  value       = trimsuffix(aws_ecs_task_definition.template.family, "-template")
}

output "template_arn" {
  description = "Revision that the next deploy starts from."
  value       = aws_ecs_task_definition.template.arn
}

output "security_group" {
  description = "Group whose members are the tasks."
  value       = aws_security_group.tasks.id
}

output "managed_containers" {
  description = "The image role of each container that a deploy fills in, by container."
  value       = { for name, container in var.containers : name => container.role if container.role != null }
}

output "container_definitions" {
  description = "The containers, as the template describes them."
  value       = jsondecode(aws_ecs_task_definition.template.container_definitions)
}
