mock_provider "aws" {
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:ap-northeast-1:111111111111:log-group:mock" }
  }

  mock_resource "aws_ecs_cluster" {
    defaults = { arn = "arn:aws:ecs:ap-northeast-1:111111111111:cluster/shop-stg" }
  }
}

variables {
  name               = "shop-stg"
  services           = ["web", "job"]
  log_prefix         = "/shop/stg"
  log_retention_days = 14
  container_insights = "enhanced"
}

run "each_service_has_a_log_group" {
  command = plan

  assert {
    condition     = output.log_groups == { web = "/shop/stg/web", job = "/shop/stg/job" }
    error_message = "log groups are called PREFIX/SERVICE"
  }

  assert {
    condition     = aws_cloudwatch_log_group.service["web"].retention_in_days == 14
    error_message = "logs are kept as long as asked"
  }

  assert {
    condition     = one(aws_ecs_cluster.this.setting).value == "enhanced"
    error_message = "Container Insights is set as asked"
  }
}

run "what_was_not_asked_for_is_not_there" {
  command = plan

  assert {
    condition     = length(aws_ecs_cluster.this.configuration) == 0 && length(aws_cloudwatch_log_group.exec) == 0
    error_message = "no shells are written down"
  }

  assert {
    condition     = length(aws_ecs_cluster_capacity_providers.this) == 0 && output.exec_log_group_arn == null
    error_message = "the cluster has no capacity providers"
  }
}

run "spot_is_offered_when_asked_for" {
  command = plan

  variables {
    capacity_providers = ["FARGATE", "FARGATE_SPOT"]
  }

  assert {
    condition     = aws_ecs_cluster_capacity_providers.this[0].capacity_providers == toset(["FARGATE", "FARGATE_SPOT"])
    error_message = "both can be asked for"
  }

  assert {
    condition     = length(aws_ecs_cluster_capacity_providers.this[0].default_capacity_provider_strategy) == 0
    error_message = "a service that says nothing is not moved to Spot"
  }
}

run "shells_are_written_down" {
  command = apply

  variables {
    exec_logging    = { kms_key_arn = "arn:aws:kms:ap-northeast-1:111111111111:key/1" }
    log_kms_key_arn = "arn:aws:kms:ap-northeast-1:111111111111:key/2"
  }

  assert {
    condition     = one(aws_ecs_cluster.this.configuration[0].execute_command_configuration[0].log_configuration).cloud_watch_log_group_name == "/shop/stg/exec"
    error_message = "they have a group of their own"
  }

  assert {
    condition     = aws_ecs_cluster.this.configuration[0].execute_command_configuration[0].kms_key_id == "arn:aws:kms:ap-northeast-1:111111111111:key/1"
    error_message = "the key encrypts the session"
  }

  assert {
    condition     = aws_cloudwatch_log_group.exec[0].retention_in_days == 365 && aws_cloudwatch_log_group.exec[0].kms_key_id == "arn:aws:kms:ap-northeast-1:111111111111:key/1"
    error_message = "and what was typed, for a year"
  }

  assert {
    condition     = aws_cloudwatch_log_group.service["web"].kms_key_id == "arn:aws:kms:ap-northeast-1:111111111111:key/2"
    error_message = "the services' logs have their own key"
  }

  assert {
    condition     = output.exec_log_group_arn == aws_cloudwatch_log_group.exec[0].arn
    error_message = "the tasks' policy learns where they write"
  }
}
