output "table" {
  description = "Name of the table, for the contract."
  value       = aws_dynamodb_table.this.name
}

output "arn" {
  description = "For the policy of whoever releases."
  value       = aws_dynamodb_table.this.arn
}
