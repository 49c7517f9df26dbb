// Java's side of chat.h. The class that it serves is named when it is compiled, as its package is the app's own.
#include <jni.h>

#include <algorithm>
#include <string>
#include <vector>

#include "chat.h"

namespace {

edgekit_chat *chat_of(jlong handle) { return reinterpret_cast<edgekit_chat *>(handle); }

std::vector<char> bytes_of(JNIEnv *env, jbyteArray array) {
  std::vector<char> bytes(static_cast<size_t>(env->GetArrayLength(array)));
  env->GetByteArrayRegion(array, 0, static_cast<jsize>(bytes.size()), reinterpret_cast<jbyte *>(bytes.data()));
  return bytes;
}

std::string text_of(JNIEnv *env, jbyteArray array) {
  const std::vector<char> bytes = bytes_of(env, array);
  return {bytes.begin(), bytes.end()};
}

jlong open(JNIEnv *env, jclass, jbyteArray path, jint context, jboolean small, jint threads) {
  const std::string name = text_of(env, path);
  char why[512] = "";
  edgekit_chat *chat = edgekit_chat_open(name.c_str(), context, small, threads, why, sizeof why);
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
  return edgekit_chat_grammar(chat_of(handle), text_of(env, text).c_str());
}

void keep(JNIEnv *env, jclass, jlong handle, jbyteArray folder, jbyteArray identity) {
  const std::string place = text_of(env, folder), weights = text_of(env, identity);
  edgekit_chat_keep(chat_of(handle), place.c_str(), weights.c_str());
}

// One of chat.h's functions that take tokens.
template <int (*function)(edgekit_chat *, const int32_t *, int)>
jint with_tokens(JNIEnv *env, jclass, jlong handle, jintArray tokens) {
  std::vector<int32_t> ids(static_cast<size_t>(env->GetArrayLength(tokens)));
  env->GetIntArrayRegion(tokens, 0, static_cast<jsize>(ids.size()), ids.data());
  return function(chat_of(handle), ids.data(), static_cast<int>(ids.size()));
}

jint next(JNIEnv *, jclass, jlong handle) { return edgekit_chat_next(chat_of(handle)); }

jint choose(JNIEnv *, jclass, jlong handle) { return edgekit_chat_choose(chat_of(handle)); }

jboolean guesses(JNIEnv *, jclass, jlong handle) { return edgekit_chat_guesses(chat_of(handle)) ? JNI_TRUE : JNI_FALSE; }

jlong computed(JNIEnv *, jclass, jlong handle) { return edgekit_chat_computed(chat_of(handle)); }

jlong passes(JNIEnv *, jclass, jlong handle) { return edgekit_chat_passes(chat_of(handle)); }

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
      method("open", "([BIZI)J", open),
      method("close", "(J)V", close),
      method("keep", "(J[B[B)V", keep),
      method("tokens", "(J[BZZ)[I", tokens),
      method("piece", "(JI)[B", piece),
      method("sampling", "(JFIFFI)V", sampling),
      method("grammar", "(J[B)I", grammar),
      method("begin", "(J[I)I", with_tokens<edgekit_chat_begin>),
      method("read", "(J[I)I", with_tokens<edgekit_chat_read>),
      method("next", "(J)I", next),
      method("choose", "(J)I", choose),
      method("guesses", "(J)Z", guesses),
      method("attempt", "(J[I)I", with_tokens<edgekit_chat_try>),
      method("computed", "(J)J", computed),
      method("passes", "(J)J", passes),
      method("margin", "(J[B)F", margin),
      method("stop", "(JZ)V", stop),
  };
  jclass owner = env->FindClass(EDGEKIT_CLASS);
  const jint count = sizeof methods / sizeof *methods;
  return owner && env->RegisterNatives(owner, methods, count) == JNI_OK ? JNI_VERSION_1_6 : JNI_ERR;
}
