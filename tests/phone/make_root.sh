#!/bin/sh
# Makes the root folder of an emulated phone: 64-bit Arm, with the shell and the tools that Android has (mksh, toybox),
# and the daemon that adb talks to. Packages are unpacked there, never installed: no service is left behind.
#
#   make_root.sh FOLDER
set -eu
folder=$1
stamp=$folder/.complete-1
[ -e "$stamp" ] && exit 0
rm -rf "$folder"
mkdir -p "$folder/apt/lists/partial" "$folder/apt/archives/partial" "$folder/root"
cat > "$folder/apt.conf" <<END
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
APT::Sandbox::User "$(id -un)";
Dir::State::Lists "$folder/apt/lists";
Dir::State::status "/dev/null";
Dir::Cache "$folder/apt";
Debug::NoLocking "true";
END
export APT_CONFIG="$folder/apt.conf"
apt-get update -qq
apt-get install -y -qq --no-install-recommends --download-only adbd mksh toybox >/dev/null
for package in "$folder"/apt/archives/*.deb; do dpkg-deb -x "$package" "$folder/root"; done
rm -rf "$folder/apt" "$folder/apt.conf"
cd "$folder/root"
mkdir -p usr/bin usr/lib proc dev sys tmp data/local/tmp system/bin
for name in bin lib; do ln -sfn "usr/$name" "$name"; done
printf 'root:x:0:0::/:/bin/sh\n' > etc/passwd
for name in $(qemu-aarch64 -L . usr/bin/toybox); do
  case $name in "["*) ;; *) ln -sfn toybox "usr/bin/$name";; esac
done
ln -sfn mksh usr/bin/sh
rm -rf usr/share/doc usr/share/man
touch "$stamp"
