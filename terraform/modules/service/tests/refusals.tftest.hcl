# Every validation refuses. The variables alone are asked: that needs no provider, and takes no time.
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

run "a_name_that_does_not_fit_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    name = "Shop"
  }

  expect_failures = [var.name]
}

run "a_cluster_by_name_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    cluster_arn = "shop-stg"
  }

  expect_failures = [var.cluster_arn]
}

run "a_negative_grace_period_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    load_balancer = { container = "app", port = 80, arn = "", target_group = "", security_group = "sg-1", grace_period_seconds = -1 }
  }

  expect_failures = [var.load_balancer]
}

run "more_than_all_tasks_healthy_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    deployment = { minimum_healthy_percent = 101 }
  }

  expect_failures = [var.deployment]
}

run "a_rollout_that_can_do_nothing_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    deployment = { minimum_healthy_percent = 100, maximum_percent = 100 }
  }

  expect_failures = [var.deployment]
}

run "a_negative_number_of_errors_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    deployment = { errors_per_minute = -1 }
  }

  expect_failures = [var.deployment]
}

run "errors_that_nobody_counts_are_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    load_balancer = null
    deployment    = { errors_per_minute = 10 }
  }

  expect_failures = [var.deployment]
}

run "a_weight_that_ecs_does_not_take_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    capacity = { spot_weight = 1001 }
  }

  expect_failures = [var.capacity]
}

run "capacity_that_places_nothing_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    capacity = { on_demand_base = 1, on_demand_weight = 0 }
  }

  expect_failures = [var.capacity]
}

run "a_minimum_above_the_maximum_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    scaling = { minimum = 3, maximum = 2, cpu_percent = 60 }
  }

  expect_failures = [var.scaling]
}

run "scaling_by_nothing_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    scaling = { minimum = 1, maximum = 2 }
  }

  expect_failures = [var.scaling]
}

run "a_percentage_above_a_hundred_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    scaling = { minimum = 1, maximum = 2, cpu_percent = 160 }
  }

  expect_failures = [var.scaling]
}

run "requests_that_nobody_counts_are_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    load_balancer = null
    scaling       = { minimum = 1, maximum = 2, requests_per_task = 600 }
  }

  expect_failures = [var.scaling]
}

run "a_pause_longer_than_an_hour_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    scaling = { minimum = 1, maximum = 2, cpu_percent = 60, scale_in_seconds = 3601 }
  }

  expect_failures = [var.scaling]
}

run "a_host_name_with_a_dot_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    discovery = { name = "web.shop", namespace_id = "ns-1" }
  }

  expect_failures = [var.discovery]
}

run "codedeploy_without_a_second_target_group_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    deployment_controller = "CODE_DEPLOY"
  }

  expect_failures = [var.deployment_controller]
}
