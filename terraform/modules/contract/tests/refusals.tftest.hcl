# Every validation refuses. The variables alone are asked: that needs no provider, and takes no time.
variables {
  app         = "shop"
  environment = "stg"
  account_id  = "011111111111"
  region      = "ap-northeast-1"
  cluster     = "arn:aws:ecs:ap-northeast-1:011111111111:cluster/shop-stg"
  repository  = "localhost:4566/shop"
  url         = "https://shop.example.com"

  cache_repository = "localhost:4566/shop-cache"
  ledger           = "shop-stg-releases"

  services = {
    web = {
      name             = "shop-stg-web"
      family           = "shop-stg-web"
      template         = "arn:aws:ecs:ap-northeast-1:011111111111:task-definition/shop-stg-web-template:3"
      desired_count    = 2
      containers       = { app = "web" }
      subnets          = ["subnet-1"]
      security_groups  = ["sg-1"]
      assign_public_ip = false
      log_group        = "/shop/stg/web"
    }
  }
}

run "a_tagged_repository_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    repository = "localhost:4566/shop:latest"
  }

  expect_failures = [var.repository]
}

run "a_repository_by_digest_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    repository = "localhost:4566/shop@sha256:0123"
  }

  expect_failures = [var.repository]
}

run "an_address_without_a_scheme_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    url = "shop.example.com"
  }

  expect_failures = [var.url]
}

run "a_service_and_a_schedule_of_one_name_are_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    scheduled_tasks = { web = { name = "x", family = "x", template = "x", schedule = "x", enabled = true, containers = {}, subnets = [], security_groups = [], assign_public_ip = false, log_group = "" } }
  }

  expect_failures = [var.scheduled_tasks]
}
