// Java's side of chat.h. The class that it serves is named when it is compiled, as its package is the app's own.
#include <jni.h>

#include <algorithm>
#include <vector>

#include "chat.h"

namespace {

edgekit_chat *chat_of(jlong handle) { return reinterpret_cast<edgekit_chat *>(handle); }

std::vector<char> bytes_of(JNIEnv *env, jbyteArray array) {
  std::vector<char> bytes(static_cast<size_t>(env->GetArrayLength(array)));
  env->GetByteArrayRegion(array, 0, static_cast<jsize>(bytes.size()), reinterpret_cast<jbyte *>(bytes.data()));
  return bytes;
}

jlong open(JNIEnv *env, jclass, jbyteArray path, jint context, jboolean small, jint threads) {
  std::vector<char> name = bytes_of(env, path);
  name.push_back('\0');
  char why[512] = "";
  edgekit_chat *chat = edgekit_chat_open(name.data(), context, small, threads, why, sizeof why);
  if (!chat) {
    // Modified UTF-8 is what Java reads: whatever is not ASCII in the reason becomes a question mark.
    std::replace_if(why, why + sizeof why, [](unsigned char letter) { return letter > 127; }, '?');
    env->ThrowNew(env->FindClass("java/lang/IllegalStateException"), why);
  }
  return reinterpret_cast<jlong>(chat);
}

void close(JNIEnv *, jclass, jlong handle) { edgekit_chat_close(chat_of(handle)); }

jintArray tokens(JNIEnv *env, jclass, jlong handle, jbyteArray text, jboolean special, jboolean begin) {
  const std::vector<char> bytes = bytes_of(env, text);
  const int length = static_cast<int>(bytes.size());
  std::vector<int32_t> out(bytes.size() + 8);
  int count = edgekit_chat_tokens(chat_of(handle), bytes.data(), length, special, begin, out.data(), length + 8);
  if (count < 0) {
    out.resize(static_cast<size_t>(-count));
    count = edgekit_chat_tokens(chat_of(handle), bytes.data(), length, special, begin, out.data(), -count);
  }
  jintArray array = env->NewIntArray(std::max(0, count));
  if (array && count > 0) env->SetIntArrayRegion(array, 0, count, out.data());
  return array;
}

jbyteArray piece(JNIEnv *env, jclass, jlong handle, jint token) {
  std::vector<char> out(64);
  int count = edgekit_chat_piece(chat_of(handle), token, out.data(), 64);
  if (count < 0) {
    out.resize(static_cast<size_t>(-count));
    count = edgekit_chat_piece(chat_of(handle), token, out.data(), -count);
  }
  jbyteArray array = env->NewByteArray(std::max(0, count));
  if (array && count > 0) env->SetByteArrayRegion(array, 0, count, reinterpret_cast<jbyte *>(out.data()));
  return array;
}

void sampling(JNIEnv *, jclass, jlong handle, jfloat temperature, jint top_k, jfloat top_p, jfloat min_p, jint seed) {
  edgekit_chat_sampling(chat_of(handle), temperature, top_k, top_p, min_p, static_cast<uint32_t>(seed));
}

jint grammar(JNIEnv *env, jclass, jlong handle, jbyteArray text) {
  std::vector<char> bytes = bytes_of(env, text);
  bytes.push_back('\0');
  return edgekit_chat_grammar(chat_of(handle), bytes.data());
}

jint read(JNIEnv *env, jclass, jlong handle, jintArray tokens) {
  std::vector<int32_t> ids(static_cast<size_t>(env->GetArrayLength(tokens)));
  env->GetIntArrayRegion(tokens, 0, static_cast<jsize>(ids.size()), ids.data());
  return edgekit_chat_read(chat_of(handle), ids.data(), static_cast<int>(ids.size()));
}

jint next(JNIEnv *, jclass, jlong handle) { return edgekit_chat_next(chat_of(handle)); }

jfloat margin(JNIEnv *env, jclass, jlong handle, jbyteArray text) {
  const std::vector<char> bytes = bytes_of(env, text);
  return edgekit_chat_margin(chat_of(handle), bytes.data(), static_cast<int>(bytes.size()));
}

void stop(JNIEnv *, jclass, jlong handle, jboolean stop) { edgekit_chat_stop(chat_of(handle), stop); }

template <class Function>
JNINativeMethod method(const char *name, const char *signature, Function *function) {
  return {const_cast<char *>(name), const_cast<char *>(signature), reinterpret_cast<void *>(function)};
}

}  // namespace

extern "C" JNIEXPORT jint JNICALL JNI_OnLoad(JavaVM *machine, void *) {
  JNIEnv *env = nullptr;
  if (machine->GetEnv(reinterpret_cast<void **>(&env), JNI_VERSION_1_6) != JNI_OK) return JNI_ERR;
  const JNINativeMethod methods[] = {
      method("open", "([BIZI)J", open),       method("close", "(J)V", close),
      method("tokens", "(J[BZZ)[I", tokens), method("piece", "(JI)[B", piece),
      method("read", "(J[I)I", read),        method("sampling", "(JFIFFI)V", sampling),
      method("next", "(J)I", next),          method("margin", "(J[B)F", margin),
      method("stop", "(JZ)V", stop),         method("grammar", "(J[B)I", grammar),
  };
  jclass owner = env->FindClass(EDGEKIT_CLASS);
  const jint count = sizeof methods / sizeof *methods;
  return owner && env->RegisterNatives(owner, methods, count) == JNI_OK ? JNI_VERSION_1_6 : JNI_ERR;
}
