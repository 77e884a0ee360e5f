# The cluster, where its tasks find capacity, and the log groups of its services.

resource "aws_ecs_cluster" "this" {
  # checkov:skip=CKV_AWS_65:container_insights is the environment's choice: it costs by the metric
  # checkov:skip=CKV_AWS_224:exec_logging is the environment's choice, with a key or without
  name = var.name

  setting {
    name  = "containerInsights"
    value = var.container_insights
  }

  # What is typed in a shell inside a task is written down.
  dynamic "configuration" {
    for_each = var.exec_logging[*]

    content {
      execute_command_configuration {
        kms_key_id = configuration.value.kms_key_arn # of the session itself
        logging    = "OVERRIDE"

        log_configuration {
          cloud_watch_log_group_name     = aws_cloudwatch_log_group.exec[0].name
          cloud_watch_encryption_enabled = configuration.value.kms_key_arn != null
        }
      }
    }
  }
}

# A service says by its strategy which of these it takes; one that says nothing starts on demand (FARGATE).
resource "aws_ecs_cluster_capacity_providers" "this" {
  count = length(var.capacity_providers) > 0 ? 1 : 0

  cluster_name       = aws_ecs_cluster.this.name
  capacity_providers = var.capacity_providers
}

resource "aws_cloudwatch_log_group" "service" {
  # checkov:skip=CKV_AWS_338:log_retention_days is the environment's choice; prd says a year
  for_each = var.services

  name              = "${var.log_prefix}/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.log_kms_key_arn
}

resource "aws_cloudwatch_log_group" "exec" {
  count = var.exec_logging == null ? 0 : 1

  name              = "${var.log_prefix}/exec"
  retention_in_days = var.exec_logging.retention_days
  kms_key_id        = var.exec_logging.kms_key_arn
}
