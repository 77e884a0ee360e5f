mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111111111111:role/shop-stg-cleanup-scheduler" }
  }

  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:ap-northeast-1:111111111111:shop-stg-cleanup-undelivered" }
  }
}

variables {
  name             = "shop-stg-cleanup"
  cluster_arn      = "arn:aws:ecs:ap-northeast-1:111111111111:cluster/shop-stg"
  template_arn     = "arn:aws:ecs:ap-northeast-1:111111111111:task-definition/shop-stg-cleanup-template:7"
  passed_role_arns = ["arn:aws:iam::111111111111:role/shop-stg-execution", "arn:aws:iam::111111111111:role/shop-stg-cleanup-task"]
  subnets          = ["subnet-1", "subnet-2"]
  security_group   = "sg-1"
  assign_public_ip = false
  expression       = "cron(0 3 * * ? *)"
}

run "a_schedule_waits_on_its_template_for_the_first_deploy" {
  command = apply

  assert {
    condition     = aws_scheduler_schedule.this.state == "DISABLED" && aws_scheduler_schedule.this.target[0].ecs_parameters[0].task_definition_arn == var.template_arn
    error_message = "before the first deploy there is no image, so nothing is started"
  }

  assert {
    condition     = aws_scheduler_schedule.this.target[0].arn == var.cluster_arn && aws_scheduler_schedule.this.target[0].role_arn == output.role_arn
    error_message = "it starts tasks in the cluster, with a role of its own"
  }

  assert {
    condition     = aws_scheduler_schedule.this.target[0].ecs_parameters[0].launch_type == "FARGATE" && aws_scheduler_schedule.this.target[0].ecs_parameters[0].task_count == 1 && length(aws_scheduler_schedule.this.target[0].ecs_parameters[0].capacity_provider_strategy) == 0
    error_message = "one task on demand"
  }

  assert {
    condition     = aws_scheduler_schedule.this.flexible_time_window[0].mode == "OFF" && aws_scheduler_schedule.this.schedule_expression_timezone == "UTC"
    error_message = "at the minute that was said, in UTC"
  }

  assert {
    condition = { for statement in data.aws_iam_policy_document.start.statement : statement.sid => [one(statement.actions), statement.resources] } == {
      Start         = ["ecs:RunTask", toset(["arn:aws:ecs:ap-northeast-1:111111111111:task-definition/shop-stg-cleanup:*"])]
      Tag           = ["ecs:TagResource", toset(["arn:aws:ecs:ap-northeast-1:111111111111:task/*"])]
      HandOverRoles = ["iam:PassRole", toset(var.passed_role_arns)]
    }
    error_message = "the scheduler starts revisions that a deploy registered, and nothing else"
  }

  assert {
    condition     = one(data.aws_iam_policy_document.start.statement[0].condition).values == tolist([var.cluster_arn]) && one(data.aws_iam_policy_document.start.statement[2].condition).values == tolist(["ecs-tasks.amazonaws.com"])
    error_message = "in this cluster, and the roles go to tasks only"
  }

  assert {
    condition     = one(data.aws_iam_policy_document.trust.statement[0].condition).values == tolist(["111111111111"])
    error_message = "the scheduler takes the role for this account only"
  }

  assert {
    condition     = length(aws_sqs_queue.undelivered) == 0 && length(aws_scheduler_schedule.this.target[0].dead_letter_config) == 0 && aws_scheduler_schedule.this.target[0].retry_policy[0].maximum_retry_attempts == 3
    error_message = "a start is tried again; a queue is there when it is asked for"
  }
}

run "what_could_not_be_started_is_kept" {
  command = apply

  variables {
    expression       = "rate(5 minutes)"
    time_zone        = "Asia/Tokyo"
    window_minutes   = 4
    tasks            = 2
    spot             = true
    retry            = { attempts = 0 }
    undelivered_days = 14
  }

  assert {
    condition     = aws_sqs_queue.undelivered[0].message_retention_seconds == 1209600 && aws_sqs_queue.undelivered[0].sqs_managed_sse_enabled && output.undelivered == "shop-stg-cleanup-undelivered"
    error_message = "it is kept for two weeks, encrypted"
  }

  assert {
    condition     = one(aws_scheduler_schedule.this.target[0].dead_letter_config).arn == aws_sqs_queue.undelivered[0].arn && data.aws_iam_policy_document.start.statement[3].resources == toset([aws_sqs_queue.undelivered[0].arn])
    error_message = "the scheduler writes it there, and may"
  }

  assert {
    condition     = one(aws_scheduler_schedule.this.target[0].ecs_parameters[0].capacity_provider_strategy).capacity_provider == "FARGATE_SPOT" && aws_scheduler_schedule.this.target[0].ecs_parameters[0].task_count == 2
    error_message = "two tasks on Spot"
  }

  assert {
    condition     = aws_scheduler_schedule.this.flexible_time_window[0].maximum_window_in_minutes == 4 && aws_scheduler_schedule.this.schedule_expression_timezone == "Asia/Tokyo"
    error_message = "within four minutes, in that time zone"
  }

  assert {
    condition     = aws_scheduler_schedule.this.target[0].retry_policy[0].maximum_retry_attempts == 0 && aws_scheduler_schedule.this.target[0].retry_policy[0].maximum_event_age_in_seconds == 900
    error_message = "no second attempt"
  }
}
