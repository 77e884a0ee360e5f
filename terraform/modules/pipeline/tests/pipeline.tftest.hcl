# The four combinations of source and deploy, and what they have in common.
mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111111111111:role/mock" }
  }

  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::shop-stg-pipeline-111111111111", id = "shop-stg-pipeline-111111111111" }
  }

  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:ap-northeast-1:111111111111:shop-stg-pipeline" }
  }

  mock_resource "aws_codepipeline" {
    defaults = { arn = "arn:aws:codepipeline:ap-northeast-1:111111111111:shop-stg" }
  }

  mock_resource "aws_codebuild_project" {
    defaults = { arn = "arn:aws:codebuild:ap-northeast-1:111111111111:project/shop-stg-pipeline" }
  }

  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:ap-northeast-1:111111111111:log-group:mock" }
  }
}

variables {
  name             = "shop-stg"
  environment      = "stg"
  account_id       = "111111111111"
  region           = "ap-northeast-1"
  source_type      = "git"
  repository       = { name = "acme/shop", branch = "main", connection_arn = "arn:aws:codeconnections:ap-northeast-1:111111111111:connection/1" }
  cluster_arn      = "arn:aws:ecs:ap-northeast-1:111111111111:cluster/shop-stg"
  contract         = "/shop/stg/contract"
  passed_role_arns = ["arn:aws:iam::111111111111:role/shop-stg-execution"]

  image_repository = {
    name      = "shop"
    arn       = "arn:aws:ecr:ap-northeast-1:111111111111:repository/shop"
    cache_arn = "arn:aws:ecr:ap-northeast-1:111111111111:repository/shop-cache"
  }

  services = {
    web = { service = "shop-stg-web", family = "shop-stg-web", containers = { app = "web", nginx = "nginx" } }
    job = { service = "shop-stg-job", family = "shop-stg-job", containers = { worker = "job" } }
  }
}

run "git_to_ecs" {
  command = apply

  assert {
    condition     = aws_codepipeline.this.stage[*].name == tolist(["Source", "Build", "Deploy"])
    error_message = "three stages"
  }

  assert {
    condition = length(aws_codepipeline.this.stage[0].action) == 1 && aws_codepipeline.this.stage[0].action[0].configuration == tomap({
      BranchName       = "main", OutputArtifactFormat = "CODEBUILD_CLONE_REF", ConnectionArn = "arn:aws:codeconnections:ap-northeast-1:111111111111:connection/1"
      FullRepositoryId = "acme/shop", DetectChanges = "true"
    })
    error_message = "a clone, by the connection, which notices pushes"
  }

  assert {
    condition     = aws_codepipeline.this.stage[1].action[0].input_artifacts == tolist(["source"]) && aws_codepipeline.this.stage[1].action[0].output_artifacts == tolist(["files"])
    error_message = "the build takes the source and hands on files alone"
  }

  assert {
    condition     = { for action in aws_codepipeline.this.stage[2].action : action.name => action.configuration["FileName"] } == { web = "web/imagedefinitions.json", job = "job/imagedefinitions.json" }
    error_message = "each service has its own image definitions"
  }

  assert {
    condition     = length(aws_cloudwatch_event_rule.start) == 0 && length(aws_cloudwatch_event_rule.tell) == 0 && length(aws_sns_topic.this) == 0
    error_message = "a connection needs no rule, and nobody is told"
  }

  assert {
    condition     = contains(flatten(jsondecode(aws_iam_role_policy.build.policy).Statement[*].Action), "ecr:PutImage") && contains(flatten(jsondecode(aws_iam_role_policy.build.policy).Statement[*].Action), "codestar-connections:UseConnection")
    error_message = "who builds pushes, and clones by the connection"
  }

  assert {
    condition     = !contains(flatten(jsondecode(aws_iam_role_policy.pipeline.policy).Statement[*].Action), "codedeploy:CreateDeployment")
    error_message = "no right to what is not done"
  }

  assert {
    condition     = one([for one in jsondecode(aws_iam_role_policy.pipeline.policy).Statement : one.Resource if one.Sid == "RollOut"]) == ["arn:aws:ecs:ap-northeast-1:111111111111:service/shop-stg/shop-stg-job", "arn:aws:ecs:ap-northeast-1:111111111111:service/shop-stg/shop-stg-web"]
    error_message = "these services and no others"
  }

  assert {
    condition     = one(aws_codebuild_project.this.environment).privileged_mode && { for one in one(aws_codebuild_project.this.environment).environment_variable : one.name => one.value } == { DEPLOY_ENV = "stg", PIPELINE_SOURCE = "git" }
    error_message = "the build has an engine, and knows what it is for"
  }
}

run "git_to_codedeploy" {
  command = apply

  variables {
    repository = { name = "shop", branch = "main" }
    services = {
      web = { service = "shop-stg-web", family = "shop-stg-web", containers = { app = "web", nginx = "nginx", proxy = "nginx" }, codedeploy = { application = "shop-stg", deployment_group = "web" } }
    }
  }

  assert {
    condition     = aws_codepipeline.this.stage[0].action[0].provider == "CodeCommit" && aws_codepipeline.this.stage[0].action[0].configuration["PollForSourceChanges"] == "false"
    error_message = "without a connection it is CodeCommit, which nobody polls"
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.start["git"].event_pattern).resources == ["arn:aws:codecommit:ap-northeast-1:111111111111:shop"]
    error_message = "a push to CodeCommit starts it"
  }

  assert {
    condition     = aws_codepipeline.this.stage[1].action[0].output_artifacts == tolist(["files", "image_nginx", "image_web"])
    error_message = "each image is an artifact of its own"
  }

  assert {
    condition = aws_codepipeline.this.stage[2].action[0].configuration == tomap({
      ApplicationName                = "shop-stg", DeploymentGroupName = "web"
      TaskDefinitionTemplateArtifact = "files", TaskDefinitionTemplatePath = "web/taskdef.json"
      AppSpecTemplateArtifact        = "files", AppSpecTemplatePath = "web/appspec.yaml"
      Image1ArtifactName             = "image_web", Image1ContainerName = "IMAGE1_NAME"
      Image2ArtifactName             = "image_nginx", Image2ContainerName = "IMAGE2_NAME"
    })
    error_message = "two containers of one role are one image"
  }

  assert {
    condition     = !contains(flatten(jsondecode(aws_iam_role_policy.pipeline.policy).Statement[*].Action), "ecs:UpdateService") && contains(flatten(jsondecode(aws_iam_role_policy.pipeline.policy).Statement[*].Action), "codedeploy:CreateDeployment")
    error_message = "CodeDeploy moves it, and nobody else"
  }
}

run "ecr_to_ecs" {
  command = apply

  variables {
    source_type = "ecr"
    images      = { tags = { web = "web-stg", nginx = "nginx-stg", job = "job-stg" }, trigger = "web" }
  }

  assert {
    condition     = { for action in aws_codepipeline.this.stage[0].action : action.name => lookup(action.configuration, "ImageTag", "") } == { Repository = "", Image-web = "web-stg", Image-nginx = "nginx-stg", Image-job = "job-stg" }
    error_message = "the repository has the configuration, each role its tag"
  }

  assert {
    condition     = aws_codepipeline.this.stage[0].action[0].configuration["DetectChanges"] == "false"
    error_message = "a push of commits starts nothing"
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.start["ecr"].event_pattern).detail == { action-type = ["PUSH"], result = ["SUCCESS"], repository-name = ["shop"], image-tag = ["web-stg"] }
    error_message = "one push starts one execution"
  }

  assert {
    condition     = aws_codepipeline.this.stage[1].action[0].input_artifacts == tolist(["source", "pushed_job", "pushed_nginx", "pushed_web"]) && aws_codepipeline.this.stage[1].action[0].configuration["PrimarySource"] == "source"
    error_message = "the build is told what was pushed"
  }

  assert {
    condition     = !contains(flatten(jsondecode(aws_iam_role_policy.build.policy).Statement[*].Action), "ecr:PutImage")
    error_message = "who builds nothing pushes nothing"
  }
}

run "ecr_to_codedeploy_with_a_question" {
  command = apply

  variables {
    source_type = "ecr"
    images      = { tags = { web = "web-stg", nginx = "nginx-stg", job = "job-stg" }, trigger = "web" }
    services = {
      web = { service = "shop-stg-web", family = "shop-stg-web", containers = { app = "web", nginx = "nginx" }, codedeploy = { application = "shop-stg", deployment_group = "web" } }
      job = { service = "shop-stg-job", family = "shop-stg-job", containers = { worker = "job" } }
    }
    approval      = { message = "To production?" }
    notifications = { emails = ["ops@example.com"] }
    build         = { architecture = "ARM64", parameters = { LICENCE = "/shop/build/licence" }, build_parameters = ["arn:aws:ssm:ap-northeast-1:111111111111:parameter/shop/build/token"] }
  }

  assert {
    condition     = aws_codepipeline.this.stage[*].name == tolist(["Source", "Build", "Approve", "Deploy"])
    error_message = "a person is asked before the deploy"
  }

  assert {
    condition     = aws_codepipeline.this.stage[2].action[0].configuration == tomap({ CustomData = "To production?", NotificationArn = "arn:aws:sns:ap-northeast-1:111111111111:shop-stg-pipeline" })
    error_message = "who is told is asked, too"
  }

  assert {
    condition     = !can(jsondecode(aws_sns_topic_policy.this["this"].policy).Statement[0].Condition)
    error_message = "EventBridge meets no condition of a topic, so that nobody would be told"
  }

  assert {
    condition     = aws_codepipeline.this.stage[1].action[0].output_artifacts == tolist(["files", "image_nginx", "image_web"])
    error_message = "what was pushed is handed on, as what is built"
  }

  assert {
    condition     = { for action in aws_codepipeline.this.stage[3].action : action.name => action.provider } == { job = "ECS", web = "CodeDeployToECS" }
    error_message = "each service in its own way"
  }

  assert {
    condition     = one(aws_codebuild_project.this.environment).type == "ARM_CONTAINER" && one(aws_codebuild_project.this.environment).image_pull_credentials_type == "CODEBUILD" && { for one in one(aws_codebuild_project.this.environment).environment_variable : one.name => one.value if one.type == "PARAMETER_STORE" } == { LICENCE = "/shop/build/licence" }
    error_message = "the build's machine, and what it is given"
  }

  assert {
    condition     = one([for one in jsondecode(aws_iam_role_policy.build.policy).Statement : one.Resource if one.Sid == "Parameters"]) == ["arn:aws:ssm:ap-northeast-1:111111111111:parameter/shop/stg/contract", "arn:aws:ssm:ap-northeast-1:111111111111:parameter/shop/build/licence", "arn:aws:ssm:ap-northeast-1:111111111111:parameter/shop/build/token"]
    error_message = "these parameters and no others"
  }

  assert {
    condition     = jsondecode(aws_iam_role.build.assume_role_policy).Statement[0].Condition.ArnLike["aws:SourceArn"] == "arn:aws:codebuild:ap-northeast-1:111111111111:project/shop-stg-pipeline"
    error_message = "CodeBuild takes the role for this project only"
  }
}

run "a_build_image_of_ones_own_is_pulled_by_the_role" {
  command = plan

  variables { build = { image = "111111111111.dkr.ecr.ap-northeast-1.amazonaws.com/builder:1" } }

  assert {
    condition     = one(aws_codebuild_project.this.environment).image_pull_credentials_type == "SERVICE_ROLE"
    error_message = "CodeBuild's own credentials pull AWS's images alone"
  }
}
