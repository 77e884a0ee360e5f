variable "name" {
  description = "Domain of the services, for example `shop-stg.internal`."
  type        = string

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]+$", var.name))
    error_message = "name must be a domain such as shop-stg.internal; it is ${var.name}."
  }
}

variable "vpc_id" {
  description = "VPC in which the names are known."
  type        = string
}

variable "connections" {
  description = "Who may connect to whom, on which port: security groups, by a name that describes the rule."
  type = map(object({
    from_group = string
    to_group   = string
    port       = number
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for connection in values(var.connections) : connection.port >= 1 && connection.port <= 65535])
    error_message = "a port is between 1 and 65535: ${join(", ", [for name, connection in var.connections : "${name} ${connection.port}"])}."
  }
}
