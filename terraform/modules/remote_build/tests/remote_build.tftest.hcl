# A project that builds what it is given, as whom, and nothing beside it.
mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111111111111:role/mock" }
  }

  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::shop-stg-build-111111111111", id = "shop-stg-build-111111111111" }
  }

  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:ap-northeast-1:111111111111:log-group:mock" }
  }
}

variables {
  name           = "shop-stg"
  account_id     = "111111111111"
  region         = "ap-northeast-1"
  repository_arn = "arn:aws:ecr:ap-northeast-1:111111111111:repository/shop"
  log_prefix     = "/shop/stg"
  architecture   = "X86_64"
}

run "a_build_has_an_engine_and_no_artifacts" {
  assert {
    condition     = aws_codebuild_project.this.environment[0].privileged_mode && aws_codebuild_project.this.environment[0].type == "LINUX_CONTAINER"
    error_message = "docker runs in it"
  }

  assert {
    condition     = aws_codebuild_project.this.artifacts[0].type == "NO_ARTIFACTS" && aws_codebuild_project.this.source[0].type == "S3" && aws_codebuild_project.this.source[0].buildspec == null
    error_message = "what it makes is in ECR, what it runs comes with the source"
  }

  assert {
    condition     = output.contract == { project = "shop-stg-build", bucket = "shop-stg-build-111111111111", platform = "linux/amd64" }
    error_message = "a deploy knows where"
  }

  assert {
    condition     = aws_cloudwatch_log_group.this.name == "/shop/stg/remote-build"
    error_message = "whoever deploys may read logs below this prefix"
  }
}

run "an_image_of_ones_own_is_pulled_by_the_role" {
  variables { image = "111111111111.dkr.ecr.ap-northeast-1.amazonaws.com/builder:1" }

  assert {
    condition     = aws_codebuild_project.this.environment[0].image_pull_credentials_type == "SERVICE_ROLE"
    error_message = "CodeBuild's own credentials pull AWS's images alone"
  }
}

run "images_for_arm_are_built_on_arm" {
  variables { architecture = "ARM64" }

  assert {
    condition     = aws_codebuild_project.this.environment[0].type == "ARM_CONTAINER" && aws_codebuild_project.this.environment[0].image_pull_credentials_type == "CODEBUILD" && strcontains(aws_codebuild_project.this.environment[0].image, "aarch64") && output.contract.platform == "linux/arm64"
    error_message = "machine, image and contract agree"
  }
}

run "it_may_push_to_one_repository_and_read_what_it_is_given" {
  command = apply

  assert {
    condition     = [for one in output.statements : one.Sid if one.Resource == "*"] == ["LogIn"]
    error_message = "`*` stands only where ECR knows no resource"
  }

  assert {
    condition     = [for one in output.statements : one.Resource if one.Sid == "Images"] == ["arn:aws:ecr:ap-northeast-1:111111111111:repository/shop"]
    error_message = "the images go to their repository"
  }

  assert {
    condition     = { for one in output.statements : one.Sid => one.Resource if contains(["Source", "Bucket"], one.Sid) } == { Source = "arn:aws:s3:::shop-stg-build-111111111111/sources/*", Bucket = "arn:aws:s3:::shop-stg-build-111111111111" }
    error_message = "it reads sources, and nothing else of S3"
  }

  assert {
    condition     = length([for one in output.statements : one if one.Sid == "Parameters"]) == 0
    error_message = "without parameters it reads none"
  }

  assert {
    condition     = !anytrue([for one in output.statements : contains(flatten([one.Action]), "ecr:BatchDeleteImage")])
    error_message = "a build removes nothing"
  }
}

run "parameters_of_builds_are_named" {
  command = apply

  variables { build_parameters = ["arn:aws:ssm:ap-northeast-1:111111111111:parameter/shop/npm"] }

  assert {
    condition     = [for one in output.statements : one.Resource if one.Sid == "Parameters"] == [["arn:aws:ssm:ap-northeast-1:111111111111:parameter/shop/npm"]]
    error_message = "these and no others"
  }
}

run "only_this_project_takes_the_role" {
  assert {
    condition     = jsondecode(aws_iam_role.this.assume_role_policy).Statement[0].Condition.ArnLike["aws:SourceArn"] == "arn:aws:codebuild:ap-northeast-1:111111111111:project/shop-stg-build"
    error_message = "the role is the project's"
  }
}

run "parameters_by_pattern_are_refused" {
  command = plan

  variables { build_parameters = ["arn:aws:ssm:ap-northeast-1:111111111111:parameter/shop/*"] }
  expect_failures = [var.build_parameters]
}

run "a_size_that_codebuild_does_not_have_is_refused" {
  command = plan

  variables { compute_type = "small" }
  expect_failures = [var.compute_type]
}

run "another_architecture_is_refused" {
  command = plan

  variables { architecture = "arm" }
  expect_failures = [var.architecture]
}

run "no_time_at_all_is_refused" {
  command = plan

  variables { timeout_minutes = 1 }
  expect_failures = [var.timeout_minutes]
}
