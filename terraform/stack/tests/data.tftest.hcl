# How database, cache, parameters and CI identities are joined to the rest. What each part does is tested beside it.
mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111111111111:role/mock" }
  }

  mock_resource "aws_iam_policy" {
    defaults = { arn = "arn:aws:iam::111111111111:policy/mock" }
  }

  mock_resource "aws_iam_openid_connect_provider" {
    defaults = { arn = "arn:aws:iam::111111111111:oidc-provider/token.actions.githubusercontent.com" }
  }

  mock_resource "aws_ecs_cluster" {
    defaults = { arn = "arn:aws:ecs:ap-northeast-1:111111111111:cluster/shop-stg" }
  }

  mock_resource "aws_ecs_task_definition" {
    defaults = { arn = "arn:aws:ecs:ap-northeast-1:111111111111:task-definition/mock-template:7" }
  }

  mock_resource "aws_ecr_repository" {
    defaults = { repository_url = "111111111111.dkr.ecr.ap-northeast-1.amazonaws.com/shop" }
  }

  mock_resource "aws_lb" {
    defaults = {
      arn      = "arn:aws:elasticloadbalancing:ap-northeast-1:111111111111:loadbalancer/app/shop-stg/50dc6c495c0c9188"
      dns_name = "shop-stg-1.ap-northeast-1.elb.amazonaws.com"
    }
  }

  mock_resource "aws_lb_target_group" {
    defaults = { arn = "arn:aws:elasticloadbalancing:ap-northeast-1:111111111111:targetgroup/shop-stg-web-80/73e2d6bc24d8a067" }
  }

  mock_resource "aws_lb_listener" {
    defaults = { arn = "arn:aws:elasticloadbalancing:ap-northeast-1:111111111111:listener/app/shop-stg/1/2" }
  }

  mock_resource "aws_rds_cluster" {
    defaults = {
      endpoint           = "cluster.example.com"
      reader_endpoint    = "cluster-ro.example.com"
      port               = 5432
      master_user_secret = [{ secret_arn = "arn:aws:secretsmanager:ap-northeast-1:111111111111:secret:rds!cluster-1", kms_key_id = "k", secret_status = "active" }]
    }
  }

  mock_resource "aws_elasticache_replication_group" {
    defaults = {
      primary_endpoint_address = "cache.example.com"
      reader_endpoint_address  = "cache-ro.example.com"
      member_clusters          = ["shop-stg-001", "shop-stg-002"]
    }
  }
}

variables {
  app         = "shop"
  environment = "stg"
  account_id  = "111111111111"
  region      = "ap-northeast-1"
  database    = { engine = "aurora-postgresql", engine_version = "16", instances = 2 }
  cache       = { replicas = 1 }
  parameters  = { SUPPORT = "support@example.com" }

  ci_identity = {
    signers = { github = {} }
    jobs = {
      deploy = { trusted = { github = ["repo:acme/shop:environment:stg"] } }
      plan   = { trusted = { github = ["repo:acme/shop:pull_request"] }, policy_arns = ["arn:aws:iam::aws:policy/ReadOnlyAccess"] }
    }
  }

  services = {
    web = {
      load_balancer = { container = "app" }
      containers    = { app = { role = "web", port = 80, database = true, cache = true, environment = { REDIS_HOST = "other" } } }
    }
    job = { containers = { worker = { role = "job" } } }
  }
}

run "services_reach_the_cluster_and_the_cache" {
  command = apply

  assert {
    condition = { for pair in module.task["web"].container_definitions[0].environment : pair.name => pair.value } == {
      DB_HOST           = "cluster.example.com"
      DB_READER_HOST    = "cluster-ro.example.com"
      DB_PORT           = "5432"
      DB_NAME           = "shop"
      DB_USER           = "shop"
      REDIS_HOST        = "other"
      REDIS_PORT        = "6379"
      REDIS_URL         = "rediss://cache.example.com:6379"
      REDIS_READER_HOST = "cache-ro.example.com"
    }
    error_message = "a container learns how to write, how to read, and where the cache is; its own value wins"
  }

  assert {
    condition     = !can(module.task["job"].container_definitions[0].environment)
    error_message = "a container that did not ask learns nothing"
  }

  assert {
    condition     = module.database[0].instances == tolist(["shop-stg-1", "shop-stg-2"])
    error_message = "Aurora without a class has the smallest there is"
  }

  assert {
    condition = module.parameters.names == {
      for name in ["DB_HOST", "DB_NAME", "DB_PORT", "DB_READER_HOST", "DB_USER", "REDIS_HOST", "REDIS_PORT", "REDIS_READER_HOST", "REDIS_URL", "SUPPORT"] :
      name => "/shop/stg/infrastructure/${name}"
    }
    error_message = "whoever is no task finds the same in Parameter Store"
  }

  assert {
    condition     = keys(output.ci_roles) == ["plan"]
    error_message = "the role that deploys is not made twice"
  }

  assert {
    condition     = keys(module.ci_identity.web_identities.deploy) == ["github"]
    error_message = "the deploy role is told whom to trust"
  }
}

run "without_them_there_is_nothing" {
  command = plan

  variables {
    database    = null
    cache       = null
    parameters  = {}
    ci_identity = {}
    services    = { web = { load_balancer = { container = "app" }, containers = { app = { role = "web", port = 80 } } } }
  }

  assert {
    condition     = length(module.database) + length(module.cache) + length(module.parameters.names) + length(module.ci_identity.provider_arns) == 0
    error_message = "nothing is made that nobody asked for"
  }
}

run "a_container_without_its_cache_is_refused" {
  command = plan

  variables {
    cache = null
  }

  expect_failures = [var.services]
}
