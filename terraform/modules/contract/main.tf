# All that a deploy knows of Terraform (docs/architecture.md). `insecure_value`, because there is nothing secret in it and a plan
# shall show what changes. A raised `version` makes every older deploylib stop and say so.

locals {
  document = jsonencode(merge({
    version          = 1
    app              = var.app
    environment      = var.environment
    account_id       = var.account_id
    region           = var.region
    cluster          = var.cluster
    repository       = var.repository
    cache_repository = var.cache_repository
    ledger           = var.ledger
    url              = var.url
    services         = { for name, service in var.services : name => { for key, value in service : key => value if value != null } }
    scheduled_tasks  = var.scheduled_tasks
  }, { for key, value in { remote_build = var.remote_build } : key => value if value != null }))
}

resource "aws_ssm_parameter" "this" {
  # checkov:skip=CKV2_AWS_34:nothing in it is secret, and a plan shall show what changes
  name           = "/${var.app}/${var.environment}/contract"
  description    = "What a deploy of ${var.app} to ${var.environment} needs to know"
  type           = "String"
  tier           = "Intelligent-Tiering" # Standard ends at 4 KiB, some ten services
  insecure_value = local.document
}
