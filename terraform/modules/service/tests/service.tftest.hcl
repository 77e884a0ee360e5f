mock_provider "aws" {
  mock_resource "aws_service_discovery_service" {
    defaults = { arn = "arn:aws:servicediscovery:ap-northeast-1:111111111111:service/srv-1" }
  }
}

variables {
  name             = "shop-stg-web"
  cluster_arn      = "arn:aws:ecs:ap-northeast-1:111111111111:cluster/shop-stg"
  template_arn     = "arn:aws:ecs:ap-northeast-1:111111111111:task-definition/shop-stg-web-template:7"
  subnets          = ["subnet-1", "subnet-2"]
  security_group   = "sg-web"
  assign_public_ip = false

  load_balancer = {
    container            = "nginx"
    port                 = 80
    arn                  = "arn:aws:elasticloadbalancing:ap-northeast-1:111111111111:loadbalancer/app/shop-stg/50dc6c495c0c9188"
    target_group         = "arn:aws:elasticloadbalancing:ap-northeast-1:111111111111:targetgroup/shop-stg-web-80/73e2d6bc24d8a067"
    security_group       = "sg-1"
    grace_period_seconds = 30
  }
}

run "a_service_stands_on_its_template_without_tasks_until_the_first_deploy" {
  command = apply

  assert {
    condition     = aws_ecs_service.this[0].desired_count == 0 && aws_ecs_service.this[0].task_definition == var.template_arn
    error_message = "before the first deploy there is no image, so no task"
  }

  assert {
    condition     = aws_ecs_service.this[0].deployment_circuit_breaker[0].enable && aws_ecs_service.this[0].deployment_circuit_breaker[0].rollback
    error_message = "a failing rollout is rolled back by ECS"
  }

  assert {
    condition     = one(aws_ecs_service.this[0].load_balancer).container_port == 80 && aws_ecs_service.this[0].health_check_grace_period_seconds == 30
    error_message = "requests go to the container's own port"
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.load_balancer[0].from_port == 80 && aws_vpc_security_group_ingress_rule.load_balancer[0].referenced_security_group_id == "sg-1" && aws_vpc_security_group_ingress_rule.load_balancer[0].security_group_id == "sg-web"
    error_message = "only the load balancer comes in, on that port"
  }

  assert {
    condition     = aws_ecs_service.this[0].launch_type == "FARGATE" && length(aws_ecs_service.this[0].capacity_provider_strategy) == 0 && !coalesce(aws_ecs_service.this[0].force_new_deployment, false)
    error_message = "tasks are on demand, and a change of the service rolls nothing out by itself"
  }

  assert {
    condition     = length(aws_ecs_service.this[0].alarms) == 0 && length(aws_cloudwatch_metric_alarm.errors) == 0 && length(aws_appautoscaling_target.this) == 0 && length(aws_service_discovery_service.this) == 0 && !aws_ecs_service.this[0].enable_execute_command
    error_message = "nothing else is there until it is asked for"
  }
}

run "a_worker_needs_no_load_balancer" {
  command = plan

  variables {
    load_balancer = null
  }

  assert {
    condition     = length(aws_ecs_service.this[0].load_balancer) == 0 && length(aws_vpc_security_group_ingress_rule.load_balancer) == 0
    error_message = "nothing comes in"
  }
}

run "a_service_of_production_has_alarms_scaling_spot_and_a_name" {
  command = apply

  variables {
    deployment      = { minimum_healthy_percent = 50, errors_per_minute = 10, alarms = ["shop-stg-orders-stalled"] }
    capacity        = { on_demand_base = 2, on_demand_weight = 1, spot_weight = 3 }
    scaling         = { minimum = 2, maximum = 20, cpu_percent = 60, requests_per_task = 600 }
    discovery       = { name = "web", namespace_id = "ns-1" }
    execute_command = true
  }

  assert {
    condition     = toset(one(aws_ecs_service.this[0].alarms).alarm_names) == toset(["shop-stg-orders-stalled", "shop-stg-web-deployment-errors"]) && one(aws_ecs_service.this[0].alarms).rollback
    error_message = "an alarm ends a rollout, the service's own and those that were named"
  }

  assert {
    condition = aws_cloudwatch_metric_alarm.errors[0].dimensions == tomap({
      LoadBalancer = "app/shop-stg/50dc6c495c0c9188"
      TargetGroup  = "targetgroup/shop-stg-web-80/73e2d6bc24d8a067"
    }) && aws_cloudwatch_metric_alarm.errors[0].threshold == 10 && aws_cloudwatch_metric_alarm.errors[0].treat_missing_data == "notBreaching"
    error_message = "the errors of this service alone are counted, and none is no alarm"
  }

  assert {
    condition = { for one in aws_ecs_service.this[0].capacity_provider_strategy : one.capacity_provider => [one.base, one.weight] } == {
      FARGATE      = [2, 1]
      FARGATE_SPOT = [0, 3]
    }
    error_message = "tasks are divided as was asked for"
  }

  assert {
    condition     = aws_ecs_service.this[0].force_new_deployment
    error_message = "the shares can be changed without a new service"
  }

  assert {
    condition     = aws_appautoscaling_target.this[0].resource_id == "service/shop-stg/shop-stg-web" && aws_appautoscaling_target.this[0].min_capacity == 2 && aws_appautoscaling_target.this[0].max_capacity == 20
    error_message = "the auto scaling stays between the two"
  }

  assert {
    condition     = { for metric, policy in aws_appautoscaling_policy.this : metric => policy.target_tracking_scaling_policy_configuration[0].target_value } == { ECSServiceAverageCPUUtilization = 60, ALBRequestCountPerTarget = 600 }
    error_message = "there is a policy for each target that was given"
  }

  assert {
    condition     = aws_appautoscaling_policy.this["ALBRequestCountPerTarget"].target_tracking_scaling_policy_configuration[0].predefined_metric_specification[0].resource_label == "app/shop-stg/50dc6c495c0c9188/targetgroup/shop-stg-web-80/73e2d6bc24d8a067"
    error_message = "requests are counted at this service's target group"
  }

  assert {
    condition     = one(aws_ecs_service.this[0].service_registries).registry_arn == output.discovery_arn && aws_service_discovery_service.this[0].name == "web" && one(one(aws_service_discovery_service.this[0].dns_config).dns_records).ttl == 10
    error_message = "its tasks are found by name, and forgotten soon"
  }

  assert {
    condition     = aws_ecs_service.this[0].enable_execute_command
    error_message = "a shell can be opened"
  }
}

run "spot_alone_needs_no_on_demand_share" {
  command = plan

  variables {
    capacity = { on_demand_weight = 0, spot_weight = 1 }
    scaling  = { minimum = 0, maximum = 1, memory_percent = 80 }
  }

  assert {
    condition     = [for one in aws_ecs_service.this[0].capacity_provider_strategy : one.capacity_provider] == ["FARGATE_SPOT"]
    error_message = "a provider that gets nothing is not named"
  }

  assert {
    condition     = keys(aws_appautoscaling_policy.this) == ["ECSServiceAverageMemoryUtilization"]
    error_message = "what was not asked for is not scaled by"
  }
}

run "under_codedeploy_nothing_but_the_controller_moves_it" {
  variables {
    deployment_controller = "CODE_DEPLOY"
    deployment            = { errors_per_minute = 5 }

    load_balancer = {
      container            = "nginx"
      port                 = 80
      arn                  = "arn:aws:elasticloadbalancing:ap-northeast-1:111111111111:loadbalancer/app/shop-stg/50dc6c495c0c9188"
      target_group         = "arn:aws:elasticloadbalancing:ap-northeast-1:111111111111:targetgroup/shop-stg-web-80/73e2d6bc24d8a067"
      green_target_group   = "arn:aws:elasticloadbalancing:ap-northeast-1:111111111111:targetgroup/shop-stg-web-80-g/73e2d6bc24d8a068"
      security_group       = "sg-1"
      grace_period_seconds = 30
    }
  }

  assert {
    condition     = length(aws_ecs_service.this) == 0 && one(aws_ecs_service.switched[0].deployment_controller).type == "CODE_DEPLOY"
    error_message = "CodeDeploy is in charge"
  }

  assert {
    condition     = length(aws_ecs_service.switched[0].deployment_circuit_breaker) == 0 && length(aws_ecs_service.switched[0].alarms) == 0
    error_message = "ECS refuses a circuit breaker and alarms where CodeDeploy is in charge"
  }

  assert {
    condition     = output.deployment_alarms == ["shop-stg-web-deployment-errors", "shop-stg-web-deployment-green-errors"]
    error_message = "errors of both target groups end a deployment"
  }

  assert {
    condition     = output.name == "shop-stg-web"
    error_message = "it is the service"
  }
}
