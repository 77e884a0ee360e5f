output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

output "public_subnets" {
  description = "Ids of the public subnets, in the order of the zones."
  value       = [for zone in var.zones : aws_subnet.public[zone].id]

  # An internet-facing load balancer or a task is of no use there before the way out exists.
  depends_on = [aws_route.internet, aws_route_table_association.public]
}

output "private_subnets" {
  description = "Ids of the private subnets, in the order of the zones."
  value       = [for zone in var.zones : aws_subnet.private[zone].id]

  depends_on = [aws_route.nat, aws_route_table_association.private]
}
