resource "aws_ecs_cluster" "this" {
  name = var.name

  setting {
    name  = "containerInsights"
    value = var.container_insights
  }
}

resource "aws_cloudwatch_log_group" "service" {
  for_each = var.services

  name              = "${var.log_prefix}/${each.key}"
  retention_in_days = var.log_retention_days
}
