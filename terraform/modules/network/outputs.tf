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

output "database_subnets" {
  description = "Ids of the database subnets, in the order of the zones. Nothing leads from them to the internet."
  value       = [for zone in var.zones : aws_subnet.database[zone].id]

  depends_on = [aws_route_table_association.database]
}

output "nat_addresses" {
  description = "Public addresses that the private subnets appear under, for whoever lets only known ones in."
  value       = [for zone in local.nat_zones : aws_eip.nat[zone].public_ip]
}
