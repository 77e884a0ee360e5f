# A pipeline, where it is asked for: what it is told of the rest of the stack.
mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_data "aws_caller_identity" {
    defaults = { account_id = "111111111111" }
  }

  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111111111111:role/mock" }
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

  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:ap-northeast-1:111111111111:log-group:mock" }
  }

  mock_resource "aws_cloudwatch_metric_alarm" {
    defaults = { arn = "arn:aws:cloudwatch:ap-northeast-1:111111111111:alarm:mock" }
  }

  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:ap-northeast-1:111111111111:shop-stg-alarms" }
  }

  mock_resource "aws_lb" {
    defaults = {
      arn        = "arn:aws:elasticloadbalancing:ap-northeast-1:111111111111:loadbalancer/app/shop-stg/1"
      arn_suffix = "app/shop-stg/1"
      dns_name   = "shop-stg-1.ap-northeast-1.elb.amazonaws.com"
    }
  }

  mock_resource "aws_lb_target_group" {
    defaults = { arn = "arn:aws:elasticloadbalancing:ap-northeast-1:111111111111:targetgroup/shop-stg/1", arn_suffix = "targetgroup/shop-stg/1" }
  }

  mock_resource "aws_lb_listener" {
    defaults = { arn = "arn:aws:elasticloadbalancing:ap-northeast-1:111111111111:listener/app/shop-stg/1/2" }
  }

  mock_resource "aws_iam_policy" {
    defaults = { arn = "arn:aws:iam::111111111111:policy/mock" }
  }

  mock_resource "aws_codepipeline" {
    defaults = { arn = "arn:aws:codepipeline:ap-northeast-1:111111111111:shop-stg" }
  }

  mock_resource "aws_codebuild_project" {
    defaults = { arn = "arn:aws:codebuild:ap-northeast-1:111111111111:project/shop-stg-pipeline" }
  }

  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::shop-stg-pipeline-111111111111", id = "shop-stg-pipeline-111111111111" }
  }

  mock_resource "aws_db_instance" {
    defaults = {
      arn                = "arn:aws:rds:ap-northeast-1:111111111111:db:shop-stg"
      address            = "db.example.com"
      port               = 5432
      master_user_secret = [{ secret_arn = "arn:aws:secretsmanager:ap-northeast-1:111111111111:secret:rds!db-1", kms_key_id = "k", secret_status = "active" }]
    }
  }
}

variables {
  app         = "shop"
  environment = "stg"
  account_id  = "111111111111"
  region      = "ap-northeast-1"

  load_balancer = { test_listener = { clients = ["203.0.113.0/24"] } }

  services = {
    web = { codedeploy = {}, load_balancer = { container = "app" }, containers = { app = { role = "web", port = 80 }, agent = { image = "agent:1" } } }
    job = { containers = { worker = { role = "job" } } }
  }
}

run "there_is_no_pipeline_unless_it_is_asked_for" {
  command = plan

  assert {
    condition     = length(module.pipeline) == 0 && output.pipeline == null
    error_message = "off by default"
  }
}

run "each_service_is_deployed_by_whoever_moves_it" {
  variables {
    architecture = "ARM64"
    deploy_role  = { build_parameters = ["arn:aws:ssm:ap-northeast-1:111111111111:parameter/shop/build/token"] }

    pipeline = {
      source        = "ecr"
      repository    = { name = "acme/shop", branch = "main", connection_arn = "arn:aws:codeconnections:ap-northeast-1:111111111111:connection/1" }
      images        = { tags = { web = "web-stg", job = "job-stg" }, trigger = "web" }
      approval      = { message = "Deploy to production?" }
      notifications = { emails = ["ops@example.com"] }
    }
  }

  assert {
    condition     = output.pipeline == "shop-stg"
    error_message = "the pipeline has the environment's name"
  }

  assert {
    condition = module.pipeline[0].actions == {
      "Source/Repository" = "CodeStarSourceConnection"
      "Source/Image-job"  = "ECR"
      "Source/Image-web"  = "ECR"
      "Build/Build"       = "CodeBuild"
      "Approve/Approve"   = "Manual"
      "Deploy/job"        = "ECS"
      "Deploy/web"        = "CodeDeployToECS"
    }
    error_message = "what was asked for, and nothing else: ${jsonencode(module.pipeline[0].actions)}"
  }
}

run "nothing_is_built_elsewhere_unless_it_is_asked_for" {
  command = plan

  assert {
    condition     = length(module.remote_build) == 0
    error_message = "off by default"
  }
}

run "images_are_built_elsewhere_where_it_is_asked_for" {
  variables {
    pipeline     = null
    architecture = "ARM64"
    deploy_role  = { build_parameters = ["arn:aws:ssm:ap-northeast-1:111111111111:parameter/shop/build/token"] }
    remote_build = { timeout_minutes = 60, build_parameters = ["arn:aws:ssm:ap-northeast-1:111111111111:parameter/shop/build/hub"] }
  }

  assert {
    condition     = module.remote_build[0].contract == { project = "shop-stg-build", bucket = "shop-stg-build-111111111111", platform = "linux/arm64" }
    error_message = "for the architecture of the tasks"
  }

  assert {
    condition     = module.contract.document.remote_build == module.remote_build[0].contract
    error_message = "a deploy reads where"
  }

  assert {
    condition = flatten([for one in module.remote_build[0].statements : one.Resource if one.Sid == "Parameters"]) == [
      "arn:aws:ssm:ap-northeast-1:111111111111:parameter/shop/build/hub", "arn:aws:ssm:ap-northeast-1:111111111111:parameter/shop/build/token",
    ]
    error_message = "its own parameters, and those that deploys give to builds"
  }

  assert {
    condition     = flatten([for one in module.deploy_role[0].statements : one.Resource if one.Sid == "BuildElsewhere"]) == [module.remote_build[0].project_arn]
    error_message = "whoever deploys starts these builds and no others"
  }
}
