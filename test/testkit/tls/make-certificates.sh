#!/bin/sh
# Makes the certificates of this folder anew: see README.md. `openssl ca` is used because it alone sets the first
# day of validity, which lies in the past so that a machine with a wrong clock can run the tests.
set -eu
cd "$(dirname "$0")"
out=$(pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir new
cat > ca.cnf <<'CONFIG'
[ca]
default_ca = it
[it]
dir = .
new_certs_dir = ./new
database = ./index.txt
default_md = sha256
policy = any
rand_serial = yes
unique_subject = no
default_startdate = 20200101000000Z
default_enddate = 21200101000000Z
[any]
commonName = supplied
[authority]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign
[server]
subjectAltName = DNS:ingester.test,IP:127.0.0.1
[client]
extendedKeyUsage = clientAuth
CONFIG
: > index.txt

key() {
  openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out "$1.key.pem"
  openssl req -new -key "$1.key.pem" -subj "/CN=$1" -out "$1.csr"
}
authority() {
  key "$1"
  openssl ca -batch -notext -config ca.cnf -selfsign -extensions authority -keyfile "$1.key.pem" -in "$1.csr" -out "$1.pem"
}
leaf() { # name, authority, extensions
  key "$1"
  openssl ca -batch -notext -config ca.cnf -extensions "$3" -cert "$2.pem" -keyfile "$2.key.pem" -in "$1.csr" -out "$1.pem"
}

authority ca
authority other-ca
leaf server ca server
leaf client ca client
leaf stranger other-ca client
cp ca.pem server.pem server.key.pem client.pem client.key.pem stranger.pem stranger.key.pem "$out"
