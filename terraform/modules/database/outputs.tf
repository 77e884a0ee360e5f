output "environment" {
  description = "What a container needs to connect, the password apart."
  value = {
    DB_HOST = aws_db_instance.this.address
    DB_PORT = tostring(aws_db_instance.this.port)
    DB_NAME = aws_db_instance.this.db_name
    DB_USER = aws_db_instance.this.username
  }
}

output "secrets" {
  description = "The password, as a task definition's `valueFrom`."
  value       = { DB_PASSWORD = "${aws_db_instance.this.master_user_secret[0].secret_arn}:password::" }
}
