# Tags are immutable: an image keeps the tag that says its content, so a rule about untagged images can never take away
# what a release needs (docs/adr/0016-what-clean-up-leaves.md). No rule counts images: Terraform does not know what runs.
resource "aws_ecr_repository" "this" {
  name                 = var.name
  image_tag_mutability = "IMMUTABLE"
  force_delete         = var.force_delete

  image_scanning_configuration {
    scan_on_push = true
  }
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
