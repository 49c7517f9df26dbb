# Runs on the phone: every form of cases/ on its CPU, through the libraries in linux/, and on its HTP, through those in android/.
cd "$(dirname "$0")" || exit 2
chmod 755 linux/* android/* 2> /dev/null
absent=""
[ -f android/libonnxruntime_providers_qnn.so ] || absent="the kit was made without Qualcomm's libraries; make it with -o libraries=A.aar,B.aar"
[ -e /system/bin/linker64 ] || absent="this system is not Android: it has no /system/bin/linker64"
echo "$(getprop ro.product.manufacturer) $(getprop ro.product.model), $(getprop ro.soc.model), Android $(getprop ro.build.version.release)"
[ -z "$absent" ] || echo "HTP: not asked: $absent"

cpu() {
  linux/ld-linux-aarch64.so.1 --library-path linux linux/distance linux/libonnxruntime.so "cases/$1.onnx" "cases/$1.calls" "cases/$1.answers" 2>&1 | tail -n 1
}
htp() {
  model=$1.onnx
  [ ! -f "cases/$1.compiled" ] || model=$(cat "cases/$1.compiled")
  LD_LIBRARY_PATH=$PWD/android ADSP_LIBRARY_PATH=$PWD/android android/distance android/libonnxruntime.so "cases/$model" \
    "cases/$1.calls" "cases/$1.answers" QNN "$PWD/android/libonnxruntime_providers_qnn.so" backend_type=htp \
    session.disable_cpu_ep_fallback=1 2>&1 | tail -n 1
}
# What a distance is called; $2 is the least that is right.
word() {
  case $1 in
    '' | *[!0-9-]*) echo "failed: $1";;
    *) if [ "$1" -ge "$2" ]; then echo "right ($1 dB)"; else echo "WRONG ($1 dB)"; fi;;
  esac
}
while read -r name least; do
  [ -z "$absent" ] || [ ! -f "cases/$name.compiled" ] || continue  # the CPU computes the plain graph
  line="$name: CPU $(word "$(cpu "$name")" "$least")"
  [ -n "$absent" ] || line="$line, HTP $(word "$(htp "$name")" "$least")"
  echo "$line"
done < cases/list
[ -z "$absent" ] || exit 3
