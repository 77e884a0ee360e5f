# What CodeDeploy is given to move a service.
mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111111111111:role/mock" }
  }
}

variables {
  name               = "shop-stg-web"
  cluster_arn        = "arn:aws:ecs:ap-northeast-1:111111111111:cluster/shop-stg"
  service_name       = "shop-stg-web"
  listener           = "arn:aws:elasticloadbalancing:ap-northeast-1:111111111111:listener/app/shop-stg/1/2"
  target_group_names = ["shop-stg-web-80", "shop-stg-web-80-g"]
}

run "all_at_once_without_a_wait" {
  assert {
    condition     = aws_codedeploy_deployment_group.this.deployment_config_name == "CodeDeployDefault.ECSAllAtOnce" && output.shift_minutes == 0
    error_message = "traffic moves at once"
  }

  assert {
    condition     = one(one(aws_codedeploy_deployment_group.this.blue_green_deployment_config).deployment_ready_option).action_on_timeout == "CONTINUE_DEPLOYMENT"
    error_message = "it waits for nobody"
  }

  assert {
    condition     = one(aws_codedeploy_deployment_group.this.ecs_service).cluster_name == "shop-stg" && aws_codedeploy_app.this.compute_platform == "ECS"
    error_message = "it is the service's group"
  }

  assert {
    condition     = [for group in one(one(aws_codedeploy_deployment_group.this.load_balancer_info).target_group_pair_info).target_group : group.name] == ["shop-stg-web-80", "shop-stg-web-80-g"]
    error_message = "both target groups are swapped"
  }

  assert {
    condition     = one(aws_codedeploy_deployment_group.this.auto_rollback_configuration).enabled && length(aws_iam_role_policy.hooks) == 0
    error_message = "what fails goes back"
  }
}

run "linear_with_a_person_a_test_listener_alarms_and_a_hook" {
  variables {
    traffic                  = { shift = "linear", percent = 30, interval_minutes = 2 }
    ready_wait_minutes       = 60
    termination_wait_minutes = 15
    test_listener            = "arn:aws:elasticloadbalancing:ap-northeast-1:111111111111:listener/app/shop-stg/1/3"
    alarms                   = ["shop-stg-web-deployment-errors"]
    hooks                    = { AfterAllowTestTraffic = "arn:aws:lambda:ap-northeast-1:111111111111:function:smoke" }
  }

  assert {
    condition     = one(one(aws_codedeploy_deployment_config.this["linear"].traffic_routing_config).time_based_linear).percentage == 30 && output.shift_minutes == 6
    error_message = "30, 60, 90 and 100 %: three intervals"
  }

  assert {
    condition     = aws_codedeploy_deployment_group.this.deployment_config_name == "shop-stg-web-linear-30-percent-2-minutes"
    error_message = "the group moves traffic so"
  }

  assert {
    condition     = one(one(aws_codedeploy_deployment_group.this.blue_green_deployment_config).deployment_ready_option).action_on_timeout == "STOP_DEPLOYMENT"
    error_message = "what nobody continues is stopped"
  }

  assert {
    condition     = one(aws_codedeploy_deployment_group.this.alarm_configuration).alarms == toset(["shop-stg-web-deployment-errors"])
    error_message = "the alarm stops it"
  }

  assert {
    condition     = strcontains(aws_iam_role_policy.hooks[0].policy, "function:smoke")
    error_message = "it may call the hook"
  }
}

run "canary" {
  variables {
    traffic = { shift = "canary", percent = 5, interval_minutes = 10 }
  }

  assert {
    condition     = one(one(aws_codedeploy_deployment_config.this["canary"].traffic_routing_config).time_based_canary).interval == 10 && output.shift_minutes == 10
    error_message = "the canary is alone for its interval"
  }
}

run "another_way_of_traffic_is_refused" {
  command = plan

  variables {
    traffic = { shift = "slowly" }
  }

  expect_failures = [var.traffic]
}

run "one_target_group_is_refused" {
  command = plan

  variables {
    target_group_names = ["shop-stg-web-80"]
  }

  expect_failures = [var.target_group_names]
}

run "a_hook_at_no_event_is_refused" {
  command = plan

  variables {
    hooks = { Install = "arn:aws:lambda:ap-northeast-1:111111111111:function:smoke" }
  }

  expect_failures = [var.hooks]
}
