output "url" {
  description = "Where images are pushed to and pulled from, without a tag."
  value       = aws_ecr_repository.this.repository_url
}

output "arn" {
  description = "For the policy of whoever pulls."
  value       = aws_ecr_repository.this.arn
}

output "cache_url" {
  description = "Where builders keep their layers, without a tag."
  value       = aws_ecr_repository.cache.repository_url
}

output "cache_arn" {
  description = "For the policy of whoever builds."
  value       = aws_ecr_repository.cache.arn
}

output "name" {
  description = "Name of the images' repository."
  value       = aws_ecr_repository.this.name
}
