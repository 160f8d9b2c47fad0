"""Public keys that ssh-keygen made, with the fingerprints that it shows; nobody has the rest."""

ED25519 = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICIhZ1TE7N2xWpvkPiHvEmE3oQ6zZxw5uCWEv1diMn70 me@here now"
)
ECDSA = (
    "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBCtOw0KrnBzeyR+P5FQA"
    "VnkVnVShLzGB7MuZL0V2O5NQwJS4NmuJTc3OpaqLuacv11bYYaU0eYhTfh6l520hEp4="
)
RSA = (
    "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQCd8ksaBDmmkea4Czn7nKpHU6ToWcfFDeZ8RXEuJn7+7jRu3f55RVoI"
    "Ku+nbckuiih3s/BepbKp56+oc6egDVVGqUn2BT7Zmjz6usygFXutMbKxPpAqseiuqzOIBxZqlYHI7kICF1bX8MtA5Juf"
    "izPldSRWeYSUxBgJ6avQE4ok+7X3AoZGlEbLGs293h4G+qCKaGAl+biVrZ0qKJOpAvO405Pf0yDKfSA5kM5aDdfmMV12"
    "84LCRsg/h3xY5kxtAkNWNk9Jc11Jha/9GZhv7pqxTYOYhKVGZdWRY49G0c7nRwzn/NRjpqbYrVQ748uBAhspp+SvQYMx"
    "P6VPZAoscTIN"
)

FINGERPRINTS = {
    ED25519: "SHA256:ozZbOHDtnPXMBitecwbihvfTClm+kk/1V7HMkcj6oI0",
    ECDSA: "SHA256:ETJkOPZeCMj0Idwy6KEc99cg6FnEzw+vFpWwl3rJqKE",
    RSA: "SHA256:Dl0FF3j7PKVXKs+JmbnCLpaejzqq9a80KBjctAzJg/k",
}
