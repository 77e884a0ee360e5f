output "names" {
  description = "The parameters, by what they were called."
  value       = { for name, parameter in merge(aws_ssm_parameter.plain, aws_ssm_parameter.secret) : name => parameter.name }
}

output "arns" {
  description = "Their ARNs, as a container's `secrets` name them."
  value       = { for name, parameter in merge(aws_ssm_parameter.plain, aws_ssm_parameter.secret) : name => parameter.arn }
}
