output "name" {
  description = "The parameter."
  value       = aws_ssm_parameter.this.name
}

output "url" {
  description = "Where the application is reached."
  value       = var.url
}

output "document" {
  description = "What a deploy reads."
  value       = jsondecode(aws_ssm_parameter.this.insecure_value)
}
