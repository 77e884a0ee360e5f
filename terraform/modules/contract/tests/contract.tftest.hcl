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
    }
    error_message = "the document is version 1 of docs/architecture.md"
  }
}

run "a_tagged_repository_is_refused" {
  command = plan

  variables {
    repository = "localhost:4566/shop:latest"
    url        = "shop.example.com"
  }

  expect_failures = [var.repository, var.url]
}
