mock_provider "aws" {}

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

run "a_deploy_finds_everything_in_one_document" {
  command = plan

  assert {
    condition     = aws_ssm_parameter.this.name == "/shop/stg/contract" && aws_ssm_parameter.this.tier == "Intelligent-Tiering"
    error_message = "the parameter is where deploylib looks, and may grow"
  }

  assert {
    condition = jsondecode(aws_ssm_parameter.this.insecure_value) == {
      version     = 1
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

      scheduled_tasks = {}
    }
    error_message = "the document is version 1 of docs/architecture.md"
  }
}

run "what_later_releases_need_is_added" {
  command = plan

  variables {
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
        load_balancer    = { container = "app", port = 8000, target_groups = ["blue", "green"], listener = "https", test_listener = "test" }
      }
    }

    scheduled_tasks = {
      cleanup = {
        name             = "shop-stg-cleanup"
        family           = "shop-stg-cleanup"
        template         = "arn:aws:ecs:ap-northeast-1:011111111111:task-definition/shop-stg-cleanup-template:1"
        schedule         = "shop-stg-cleanup"
        enabled          = true
        containers       = { task = "job" }
        subnets          = ["subnet-1"]
        security_groups  = ["sg-2"]
        assign_public_ip = false
        log_group        = "/shop/stg/cleanup"
      }
    }
  }

  assert {
    condition     = jsondecode(aws_ssm_parameter.this.insecure_value).services.web.load_balancer == { container = "app", port = 8000, target_groups = ["blue", "green"], listener = "https", test_listener = "test" }
    error_message = "a deployment that swaps target groups finds both, and the listeners"
  }

  assert {
    condition     = jsondecode(aws_ssm_parameter.this.insecure_value).scheduled_tasks.cleanup.schedule == "shop-stg-cleanup" && jsondecode(aws_ssm_parameter.this.insecure_value).scheduled_tasks.cleanup.enabled
    error_message = "a deploy finds the schedule to set"
  }
}

run "without_a_project_nothing_is_said_of_builds" {
  assert {
    condition     = !can(jsondecode(aws_ssm_parameter.this.insecure_value).remote_build)
    error_message = "an older reader finds what it knows"
  }
}

run "the_project_that_builds_images_is_named" {
  variables {
    remote_build = { project = "shop-stg-build", bucket = "shop-stg-build-111111111111", platform = "linux/arm64" }
  }

  assert {
    condition     = jsondecode(aws_ssm_parameter.this.insecure_value).remote_build == { project = "shop-stg-build", bucket = "shop-stg-build-111111111111", platform = "linux/arm64" }
    error_message = "a deploy finds it"
  }
}
