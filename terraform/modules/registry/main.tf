# Where the application's images are, and, apart from them, the builders' layers.

locals {
  # Who may do what: a principal that pushes also pulls, or it could not see which layers are there already.
  pull  = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:DescribeImages", "ecr:GetDownloadUrlForLayer"]
  push  = concat(local.pull, ["ecr:CompleteLayerUpload", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart"])
  grant = { Pull = { actions = local.pull, to = var.pull_principals }, Push = { actions = local.push, to = var.push_principals } }

  granted = { for name, grant in local.grant : name => grant if length(grant.to) > 0 }
}

# Tags are immutable: an image keeps the tag that says its content, so a rule about untagged images can never take away
# what a release needs (docs/adr/0016-what-clean-up-leaves.md). No rule counts images: Terraform does not know what runs.
resource "aws_ecr_repository" "this" {
  name                 = var.name
  image_tag_mutability = "IMMUTABLE"
  force_delete         = var.force_delete

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = var.kms_key_arn == null ? "AES256" : "KMS"
    kms_key         = var.kms_key_arn
  }
}

data "aws_partition" "this" {}

data "aws_iam_policy_document" "this" {
  dynamic "statement" {
    for_each = local.granted

    content {
      sid     = statement.key
      actions = statement.value.actions

      principals {
        type = "AWS"
        identifiers = [
          for principal in statement.value.to :
          startswith(principal, "arn:") ? principal : "arn:${data.aws_partition.this.partition}:iam::${principal}:root"
        ]
      }
    }
  }
}

# For other accounts only: within this one each role's own policy is enough.
resource "aws_ecr_repository_policy" "this" {
  count = length(local.granted) > 0 ? 1 : 0

  repository = aws_ecr_repository.this.name
  policy     = data.aws_iam_policy_document.this.json
}

resource "aws_ecr_lifecycle_policy" "this" {
  repository = aws_ecr_repository.this.name

  policy = jsonencode({
    rules = [{
      rulePriority = 1
      description  = "Images that lost their tag"
      selection = {
        tagStatus   = "untagged"
        countType   = "sinceImagePushed"
        countUnit   = "days"
        countNumber = var.untagged_days
      }
      action = { type = "expire" }
    }]
  })
}

# BuildKit's layers, under tags that move. Apart, so that the images' own repository never has one that does.
resource "aws_ecr_repository" "cache" {
  # checkov:skip=CKV_AWS_51:a cache's tag moves with every build
  # checkov:skip=CKV_AWS_136:layers of images that may have their own key (kms_key_arn); nothing runs from here
  # checkov:skip=CKV_AWS_163:layers are no images: there is nothing to scan, and nothing runs from here
  name                 = "${var.name}-cache"
  image_tag_mutability = "MUTABLE"
  force_delete         = true # nothing in it that a build does not make again
}

resource "aws_ecr_lifecycle_policy" "cache" {
  repository = aws_ecr_repository.cache.name

  policy = jsonencode({
    rules = [{
      rulePriority = 1
      description  = "Layers that no build has renewed"
      selection = {
        tagStatus   = "any"
        countType   = "sinceImagePushed"
        countUnit   = "days"
        countNumber = var.cache_days
      }
      action = { type = "expire" }
    }]
  })
}
