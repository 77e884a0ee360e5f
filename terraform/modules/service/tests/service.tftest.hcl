mock_provider "aws" {
  mock_resource "aws_ecs_task_definition" {
    defaults = { arn = "arn:aws:ecs:ap-northeast-1:111111111111:task-definition/shop-stg-web-template:7" }
  }
}

variables {
  name               = "shop-stg-web"
  region             = "ap-northeast-1"
  cluster_arn        = "arn:aws:ecs:ap-northeast-1:111111111111:cluster/shop-stg"
  repository_url     = "111111111111.dkr.ecr.ap-northeast-1.amazonaws.com/shop"
  log_group          = "/shop/stg/web"
  task_role_arn      = "arn:aws:iam::111111111111:role/shop-stg-task"
  execution_role_arn = "arn:aws:iam::111111111111:role/shop-stg-execution"
  vpc_id             = "vpc-1"
  subnets            = ["subnet-1", "subnet-2"]
  assign_public_ip   = false
  cpu                = 256
  memory             = 512
  deployment         = { minimum_healthy_percent = 100, maximum_percent = 200 }

  load_balancer = {
    container            = "nginx"
    target_group         = "arn:aws:elasticloadbalancing:ap-northeast-1:111111111111:targetgroup/shop-stg-web-80/1"
    security_group       = "sg-1"
    grace_period_seconds = 30
  }

  containers = {
    app = {
      role         = "web"
      port         = 8000
      environment  = { B = "2", A = "1" }
      secrets      = { TOKEN = "/shop/stg/token" }
      health_check = { command = ["CMD", "true"] }
    }
    nginx = { role = "nginx", port = 80, depends_on = { app = "HEALTHY" }, stop_timeout_seconds = 5 }
    agent = { image = "public.ecr.aws/vendor/agent:1", essential = false }
  }
}

run "the_template_leaves_managed_images_to_the_deploy" {
  command = apply

  assert {
    condition = { for container in jsondecode(aws_ecs_task_definition.template.container_definitions) : container.name => container.image } == {
      app   = "111111111111.dkr.ecr.ap-northeast-1.amazonaws.com/shop:set-by-deploy"
      nginx = "111111111111.dkr.ecr.ap-northeast-1.amazonaws.com/shop:set-by-deploy"
      agent = "public.ecr.aws/vendor/agent:1"
    }
    error_message = "a container with a role carries the sentinel, a side-car its own image"
  }

  assert {
    condition     = output.managed_containers == { app = "web", nginx = "nginx" }
    error_message = "the side-car is not the deploy's"
  }

  assert {
    condition     = aws_ecs_task_definition.template.family == "shop-stg-web-template" && output.template_arn == aws_ecs_task_definition.template.arn
    error_message = "Terraform writes the family NAME-template only"
  }

  assert {
    condition     = aws_ecs_service.this.desired_count == 0 && aws_ecs_service.this.task_definition == output.template_arn
    error_message = "before the first deploy there is no image, so no task"
  }

  assert {
    condition     = aws_ecs_service.this.deployment_circuit_breaker[0].enable && aws_ecs_service.this.deployment_circuit_breaker[0].rollback
    error_message = "a failing rollout is rolled back by ECS"
  }

  assert {
    condition     = one(aws_ecs_service.this.load_balancer).container_port == 80 && aws_ecs_service.this.health_check_grace_period_seconds == 30
    error_message = "requests go to the container's own port"
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.load_balancer[0].from_port == 80 && aws_vpc_security_group_ingress_rule.load_balancer[0].referenced_security_group_id == "sg-1"
    error_message = "only the load balancer comes in, on that port"
  }
}

run "a_container_says_only_what_was_set" {
  command = plan

  assert {
    condition     = [for container in jsondecode(aws_ecs_task_definition.template.container_definitions) : container.name] == ["agent", "app", "nginx"]
    error_message = "containers are sorted by name: the same input is the same definition"
  }

  assert {
    condition     = keys(jsondecode(aws_ecs_task_definition.template.container_definitions)[0]) == ["essential", "image", "logConfiguration", "name", "stopTimeout"]
    error_message = "what was left out is not there as null or as an empty list"
  }

  assert {
    condition     = [for pair in jsondecode(aws_ecs_task_definition.template.container_definitions)[1].environment : pair.name] == ["A", "B"]
    error_message = "variables are sorted by name"
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.template.container_definitions)[1].secrets == [{ name = "TOKEN", valueFrom = "/shop/stg/token" }]
    error_message = "a secret is a reference"
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.template.container_definitions)[2].dependsOn == [{ containerName = "app", condition = "HEALTHY" }]
    error_message = "a container waits for the one it depends on"
  }
}

run "a_worker_needs_no_load_balancer" {
  command = plan

  variables {
    load_balancer = null
    containers    = { worker = { role = "job" } }
  }

  assert {
    condition     = length(aws_ecs_service.this.load_balancer) == 0 && length(aws_vpc_security_group_ingress_rule.load_balancer) == 0
    error_message = "nothing comes in"
  }
}

run "a_container_with_both_a_role_and_an_image_is_refused" {
  command = plan

  variables {
    cpu           = 512
    memory        = 512
    load_balancer = null
    containers    = { app = { role = "web", image = "nginx" } }
    deployment    = { minimum_healthy_percent = 100, maximum_percent = 100 }
  }

  expect_failures = [var.memory, var.containers, var.deployment]
}

run "side_cars_alone_are_refused" {
  command = plan

  variables {
    load_balancer = null
    containers    = { agent = { image = "agent" } }
  }

  expect_failures = [var.containers]
}

run "a_load_balancer_in_front_of_a_container_without_a_port_is_refused" {
  command = plan

  variables {
    containers = { nginx = { role = "nginx" } }
  }

  expect_failures = [var.load_balancer]
}
