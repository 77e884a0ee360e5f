mock_provider "aws" {}

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

run "nonsense_is_refused" {
  command = plan

  variables {
    log_prefix         = "shop/stg"
    log_retention_days = 15
    container_insights = "on"
  }

  expect_failures = [var.log_prefix, var.log_retention_days, var.container_insights]
}
