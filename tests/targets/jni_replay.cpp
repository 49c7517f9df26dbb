// Calls the functions of the app's libedgekit.so as a phone's Java would, on emulated 64-bit Arm without any Java.
//
//   jni_replay LIBEDGEKIT LIBONNXRUNTIME MODEL CALLS ANSWERS
//
// The library is the very file that goes into the app. Of the Java environment only what it uses is here: arrays and
// strings, without a heap. CALLS and ANSWERS are of the form that targets/_calls.py describes.

#include <dlfcn.h>
#include <jni.h>

#include <cstdio>
#include <cstring>
#include <deque>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "calls.h"

namespace {

// An array, a string or a list of strings of Java.
struct Thing {
  std::vector<char> data;
  std::vector<Thing*> items;
  size_t size = 1;
};

std::deque<std::unique_ptr<Thing>> things;
std::string thrown;

Thing* make(size_t count, size_t size) {
  things.push_back(std::make_unique<Thing>());
  things.back()->data.resize(count * size);
  things.back()->size = size;
  return things.back().get();
}

template <class T>
T as(Thing* thing) {
  return reinterpret_cast<T>(thing);
}

Thing* of(jobject object) { return reinterpret_cast<Thing*>(object); }

Thing* text(const std::string& value) {
  Thing* made = make(value.size() + 1, 1);
  std::memcpy(made->data.data(), value.c_str(), value.size() + 1);
  return made;
}

jclass find_class(JNIEnv*, const char* name) { return as<jclass>(text(name)); }
jint throw_new(JNIEnv*, jclass, const char* what) { return thrown = what, 0; }
void clear(JNIEnv*) { thrown.clear(); }
const char* characters(JNIEnv*, jstring string, jboolean*) { return of(string)->data.data(); }
void release(JNIEnv*, jstring, const char*) {}
void forget(JNIEnv*, jobject) {}
jstring new_string(JNIEnv*, const char* value) { return as<jstring>(text(value)); }
jobject item(JNIEnv*, jobjectArray list, jsize at) { return as<jobject>(of(list)->items.at(at)); }

jsize length(JNIEnv*, jarray array) {
  const Thing* thing = of(array);
  return static_cast<jsize>(thing->items.empty() ? thing->data.size() / thing->size : thing->items.size());
}

template <class Array, class T>
void get(JNIEnv*, Array array, jsize start, jsize count, T* into) {
  if (start < 0 || (start + count) * sizeof(T) > of(array)->data.size()) throw std::runtime_error("outside an array");
  std::memcpy(into, of(array)->data.data() + start * sizeof(T), count * sizeof(T));
}

template <class Array, class T>
void set(JNIEnv*, Array array, jsize start, jsize count, const T* from) {
  if (start < 0 || (start + count) * sizeof(T) > of(array)->data.size()) throw std::runtime_error("outside an array");
  std::memcpy(of(array)->data.data() + start * sizeof(T), from, count * sizeof(T));
}

template <class Array, class T>
Array fresh(JNIEnv*, jsize count) {
  return as<Array>(make(count, sizeof(T)));
}

JNINativeInterface_ table() {
  JNINativeInterface_ made{};
  made.FindClass = find_class;
  made.ThrowNew = throw_new;
  made.ExceptionClear = clear;
  made.GetStringUTFChars = characters;
  made.ReleaseStringUTFChars = release;
  made.NewStringUTF = new_string;
  made.DeleteLocalRef = forget;
  made.GetObjectArrayElement = item;
  made.GetArrayLength = length;
  made.GetFloatArrayRegion = get<jfloatArray, jfloat>;
  made.GetLongArrayRegion = get<jlongArray, jlong>;
  made.GetIntArrayRegion = get<jintArray, jint>;
  made.GetByteArrayRegion = get<jbyteArray, jbyte>;
  made.SetFloatArrayRegion = set<jfloatArray, jfloat>;
  made.SetLongArrayRegion = set<jlongArray, jlong>;
  made.SetIntArrayRegion = set<jintArray, jint>;
  made.SetByteArrayRegion = set<jbyteArray, jbyte>;
  made.NewFloatArray = fresh<jfloatArray, jfloat>;
  made.NewLongArray = fresh<jlongArray, jlong>;
  made.NewIntArray = fresh<jintArray, jint>;
  made.NewByteArray = fresh<jbyteArray, jbyte>;
  return made;
}

void* library;

template <class Result, class... Arguments>
Result call(const char* name, Arguments... arguments) {
  const auto function = reinterpret_cast<Result (*)(JNIEnv*, jclass, Arguments...)>(
      dlsym(library, (std::string("Java_edgekit_phone_runtime_Native_") + name).c_str()));
  if (!function) throw std::runtime_error(std::string("the library has no ") + name);
  static JNINativeInterface_ functions = table();
  JNIEnv environment{&functions};
  thrown.clear();
  struct Check {
    ~Check() noexcept(false) {
      if (!thrown.empty()) throw std::runtime_error(thrown);
    }
  } check;
  return function(&environment, nullptr, arguments...);
}

Thing* filled(const void* data, size_t count, size_t size) {
  Thing* made = make(count, size);
  if (count) std::memcpy(made->data.data(), data, count * size);
  return made;
}

jlong value_of(const calls::Tensor& tensor) {
  const auto shape = as<jlongArray>(filled(tensor.shape.data(), tensor.shape.size(), 8));
  const size_t size = calls::size_of(tensor.type);
  Thing* data = filled(tensor.data.data(), tensor.data.size() / size, size);
  if (tensor.type == calls::kFloat) return call<jlong>("floats", as<jfloatArray>(data), shape);
  if (tensor.type == calls::kInt64) return call<jlong>("longs", as<jlongArray>(data), shape);
  if (tensor.type == calls::kInt32) return call<jlong>("ints", as<jintArray>(data), shape);
  return call<jlong>("bytes", as<jbyteArray>(data), shape, static_cast<jint>(tensor.type));
}

calls::Tensor tensor_of(const std::string& name, jlong value) {
  const auto type = static_cast<uint32_t>(call<jint>("type", value));
  const char* copy = type == calls::kFloat ? "toFloats" : type == calls::kInt64 ? "toLongs" : "toBytes";
  if (type == calls::kInt32) copy = "toInts";
  const Thing* data = of(call<jobject>(copy, value));
  const Thing* shape = of(call<jlongArray>("shape", value));
  std::vector<int64_t> sizes(shape->data.size() / 8);
  if (!sizes.empty()) std::memcpy(sizes.data(), shape->data.data(), shape->data.size());
  call<void>("release", value);
  return {name, type, sizes, data->data};
}

Thing* list(const std::vector<std::string>& names) {
  Thing* made = make(0, 1);
  for (const auto& name : names) made->items.push_back(text(name));
  return made;
}

void replay(jlong session, const std::vector<std::string>& wanted, std::istream& in, std::ostream& out) {
  const auto asked = calls::begin(in, out);
  for (uint32_t i = 0; i < asked; ++i) {
    std::vector<std::string> names;
    std::vector<jlong> values;
    for (const auto& tensor : calls::read(in)) {
      names.push_back(tensor.name);
      values.push_back(value_of(tensor));
    }
    Thing* results = make(wanted.size(), 8);
    call<void>("run", session, as<jobjectArray>(list(names)), as<jlongArray>(filled(values.data(), values.size(), 8)),
               as<jobjectArray>(list(wanted)), as<jlongArray>(results));
    for (const auto value : values) call<void>("release", value);
    std::vector<calls::Tensor> told;
    for (size_t k = 0; k < wanted.size(); ++k) {
      jlong value;
      std::memcpy(&value, results->data.data() + 8 * k, 8);
      told.push_back(tensor_of(wanted[k], value));
    }
    calls::write(out, told);
  }
}

}  // namespace

int main(int count, char** arguments) try {
  if (count < 7) throw std::runtime_error("usage: jni_replay LIBEDGEKIT LIBONNXRUNTIME MODEL CALLS ANSWERS OUTPUT...");
  library = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
  if (!library) throw std::runtime_error(dlerror());
  const auto session = call<jlong>("open", as<jstring>(text(arguments[2])), as<jstring>(text(arguments[3])), jint{1});
  std::ifstream in(arguments[4], std::ios::binary);
  std::ofstream out(arguments[5], std::ios::binary);
  replay(session, std::vector<std::string>(arguments + 6, arguments + count), in, out);
  const std::string version = of(call<jstring>("version"))->data.data();
  call<void>("close", session);
  calls::end(in, out);
  std::printf("onnxruntime %s\n", version.c_str());
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 2;
}
