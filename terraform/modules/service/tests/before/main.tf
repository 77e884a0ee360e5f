# The service as the module had it before there were two of them: at an address without an index.
variable "name" {
  type = string
}

variable "cluster_arn" {
  type = string
}

variable "template_arn" {
  type = string
}

resource "aws_ecs_service" "this" {
  name            = var.name
  cluster         = var.cluster_arn
  task_definition = var.template_arn
  desired_count   = 2
  launch_type     = "FARGATE"
}

output "id" {
  value = aws_ecs_service.this.id
}
