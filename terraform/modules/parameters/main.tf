# Parameters that Terraform writes. What people and deploys write (settings) is not here: `inv params.set` does that, and Terraform
# never learns a value. `insecure_value`, because a plain value is no secret and a plan shall show what changes.

resource "aws_ssm_parameter" "plain" {
  # checkov:skip=CKV2_AWS_34:these are the plain ones; the secret ones are encrypted
  for_each = var.plain

  name           = "${var.path}/${each.key}"
  type           = "String"
  tier           = "Intelligent-Tiering" # Standard ends at 4 KiB
  insecure_value = each.value
}

# Write-only: neither the state nor a plan has the value. Terraform cannot see that it changed, so its version says so.
resource "aws_ssm_parameter" "secret" {
  for_each = var.secret_versions

  name             = "${var.path}/${each.key}"
  type             = "SecureString"
  tier             = "Intelligent-Tiering"
  key_id           = var.kms_key_arn
  value_wo         = var.secrets[each.key]
  value_wo_version = each.value
}
