# From a push to running tasks by AWS's own means: a source, a build that writes what the deploy stage reads, a question, the deploy.
#
# Four combinations of source (a Git push, an ECR push) and deploy (by ECS, by CodeDeploy) differ in the source's actions and in each service's own
# action, in nothing else: the build is the same one, `inv pipeline.artifacts`, and hands on the same files (docs/adr/0040-pipelines.md).

data "aws_partition" "this" {}

locals {
  partition = data.aws_partition.this.partition
  pipeline  = "arn:${local.partition}:codepipeline:${var.region}:${var.account_id}:${var.name}"
  project   = "arn:${local.partition}:codebuild:${var.region}:${var.account_id}:project/${var.name}-pipeline"
  cluster   = split("/", var.cluster_arn)[1]

  commit = var.repository.connection_arn == null # CodeCommit
  pushed = var.source_type == "ecr" ? var.images.tags : {}

  by_codedeploy = { for name, one in var.services : name => one if one.codedeploy != null }
  by_ecs        = { for name, one in var.services : name => one if one.codedeploy == null }

  # The images that CodeDeploy's actions fill in, each an artifact of its own: its imageDetail.json has to be at the top.
  handed_on = sort(distinct(flatten([for one in values(local.by_codedeploy) : values(one.containers)])))

  sources = concat(
    [{
      name     = "Repository"
      provider = local.commit ? "CodeCommit" : "CodeStarSourceConnection"
      output   = "source"
      configuration = { for key, value in {
        BranchName           = var.repository.branch
        OutputArtifactFormat = "CODEBUILD_CLONE_REF" # a clone: the commit and its history count
        RepositoryName       = local.commit ? var.repository.name : null
        PollForSourceChanges = local.commit ? "false" : null
        ConnectionArn        = var.repository.connection_arn
        FullRepositoryId     = local.commit ? null : var.repository.name
        DetectChanges        = local.commit ? null : tostring(var.source_type == "git")
      } : key => value if value != null }
    }],
    [for role, tag in local.pushed : {
      name          = "Image-${role}"
      provider      = "ECR"
      output        = "pushed_${replace(role, "-", "_")}"
      configuration = { RepositoryName = var.image_repository.name, ImageTag = tag }
    }],
  )

  deploys = concat(
    [for name, one in local.by_ecs : {
      name     = name
      provider = "ECS"
      inputs   = ["files"]
      configuration = {
        ClusterName = local.cluster
        ServiceName = one.service
        FileName    = "${name}/imagedefinitions.json"
      }
    }],
    [for name, one in local.by_codedeploy : {
      name     = name
      provider = "CodeDeployToECS"
      inputs   = concat(["files"], [for role in distinct(values(one.containers)) : "image_${replace(role, "-", "_")}"])
      configuration = merge(
        {
          ApplicationName                = one.codedeploy.application
          DeploymentGroupName            = one.codedeploy.deployment_group
          TaskDefinitionTemplateArtifact = "files"
          TaskDefinitionTemplatePath     = "${name}/taskdef.json"
          AppSpecTemplateArtifact        = "files"
          AppSpecTemplatePath            = "${name}/appspec.yaml"
        },
        # In the order of the containers' names, as `inv pipeline.artifacts` counts them.
        { for index, role in distinct(values(one.containers)) : "Image${index + 1}ArtifactName" => "image_${replace(role, "-", "_")}" },
        { for index, role in distinct(values(one.containers)) : "Image${index + 1}ContainerName" => "IMAGE${index + 1}_NAME" },
      )
    }],
  )
}

resource "aws_codepipeline" "this" {
  # checkov:skip=CKV_AWS_219:its artifacts name images and roles, and are encrypted with AWS's own key
  name           = var.name
  role_arn       = aws_iam_role.pipeline.arn
  pipeline_type  = "V2"
  execution_mode = "SUPERSEDED" # the newest push counts; one that is deploying is not disturbed

  artifact_store {
    location = aws_s3_bucket.artifacts.bucket
    type     = "S3"
  }

  stage {
    name = "Source"

    dynamic "action" {
      for_each = local.sources

      content {
        name             = action.value.name
        category         = "Source"
        owner            = "AWS"
        provider         = action.value.provider
        version          = "1"
        output_artifacts = [action.value.output]
        configuration    = action.value.configuration
      }
    }
  }

  stage {
    name = "Build"

    action {
      name             = "Build"
      category         = "Build"
      owner            = "AWS"
      provider         = "CodeBuild"
      version          = "1"
      input_artifacts  = local.sources[*].output
      output_artifacts = concat(["files"], [for role in local.handed_on : "image_${replace(role, "-", "_")}"])

      configuration = {
        ProjectName   = aws_codebuild_project.this.name
        PrimarySource = "source"
      }
    }
  }

  dynamic "stage" {
    for_each = var.approval[*]

    content {
      name = "Approve"

      action {
        name          = "Approve"
        category      = "Approval"
        owner         = "AWS"
        provider      = "Manual"
        version       = "1"
        configuration = merge({ CustomData = stage.value.message }, local.tell == null ? {} : { NotificationArn = local.tell })
      }
    }
  }

  stage {
    name = "Deploy"

    dynamic "action" {
      for_each = local.deploys

      content {
        name            = action.value.name
        category        = "Deploy"
        owner           = "AWS"
        provider        = action.value.provider
        version         = "1"
        input_artifacts = action.value.inputs
        configuration   = action.value.configuration
      }
    }
  }

  depends_on = [aws_iam_role_policy.pipeline] # its first execution starts at once
}
