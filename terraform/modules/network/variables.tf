variable "name" {
  description = "Prefix of every Name tag, for example `shop-stg`."
  type        = string
}

variable "region" {
  description = "Region the zones belong to."
  type        = string
}

variable "cidr" {
  description = "Address range of the VPC, a /16 to /24. It is cut into sixteen parts: eight for public, eight for private subnets."
  type        = string

  validation {
    condition     = can(cidrhost(var.cidr, 0)) && try(tonumber(split("/", var.cidr)[1]), 0) >= 16 && try(tonumber(split("/", var.cidr)[1]), 99) <= 24
    error_message = "cidr must be an IPv4 range from /16 to /24, like 10.0.0.0/16; it is ${var.cidr}."
  }
}

variable "zones" {
  description = "Letters of the availability zones, like [\"a\", \"c\", \"d\"]. Named, not counted: a zone that AWS adds must not move a subnet."
  type        = list(string)

  validation {
    condition     = length(var.zones) >= 2 && length(var.zones) <= 8 && length(distinct(var.zones)) == length(var.zones)
    error_message = "zones must name 2 to 8 different zones: load balancer and database need two."
  }

  validation {
    condition     = alltrue([for zone in var.zones : can(regex("^[a-z]$", zone))])
    error_message = "zones are single letters, like \"a\"."
  }
}

variable "nat_gateways" {
  description = "How many zones get a NAT gateway. 0: nothing in a private subnet reaches the internet."
  type        = number

  validation {
    condition     = var.nat_gateways >= 0 && var.nat_gateways <= length(var.zones) && floor(var.nat_gateways) == var.nat_gateways
    error_message = "nat_gateways must be between 0 and the number of zones (${length(var.zones)})."
  }
}
