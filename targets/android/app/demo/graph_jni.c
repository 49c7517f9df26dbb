// onnxruntime for Java, as small as the loops need it: sessions opened by path, tensors that stay native.
//
// Compiled for 64-bit Android without its NDK: what is declared here is all that is used of the C library, and every phone
// has it. The runtime's library is opened by name at run time. The same source, compiled for this machine, runs in a JVM.

#include <jni.h>
#include <onnxruntime_c_api.h>

void* dlopen(const char*, int);
void* dlsym(void*, const char*);
char* dlerror(void);

enum { kNow = 2, kMostTensors = 512, kMostAxes = 16 };

static const OrtApiBase* runtime;
static const OrtApi* api;
static OrtEnv* environment;
static OrtAllocator* allocator;

static void fail(JNIEnv* env, const char* what) {
  jclass kind = (*env)->FindClass(env, "java/lang/IllegalStateException");
  if (kind) (*env)->ThrowNew(env, kind, what ? what : "onnxruntime failed");
}

// True if the runtime said no; it is thrown then.
static int failed(JNIEnv* env, OrtStatus* status) {
  if (!status) return 0;
  fail(env, api->GetErrorMessage(status));
  api->ReleaseStatus(status);
  return 1;
}

static OrtValue* value_of(jlong handle) { return (OrtValue*)(intptr_t)handle; }

static int load(JNIEnv* env, const char* library) {
  if (api) return 1;
  void* opened = dlopen(library, kNow);
  const OrtApiBase* (*base)(void) = 0;
  if (opened) *(void**)&base = dlsym(opened, "OrtGetApiBase");
  if (!base) {
    fail(env, dlerror());
    return 0;
  }
  runtime = base();
  const OrtApi* table = runtime->GetApi(ORT_API_VERSION);
  if (!table) {
    fail(env, "this onnxruntime is older than the app");
    return 0;
  }
  api = table;
  if (failed(env, api->CreateEnv(ORT_LOGGING_LEVEL_ERROR, "edgekit", &environment)) ||
      failed(env, api->DisableTelemetryEvents(environment)) ||
      failed(env, api->GetAllocatorWithDefaultOptions(&allocator))) {
    api = 0;
    return 0;
  }
  return 1;
}

// Processors of x86 without VNNI (in emulators, and where tests run) saturate when they add products of bytes; there
// onnxruntime has exact kernels, and refuses them for products that share their weights.
static int saturates(void) {
#if defined(__x86_64__)
  return !__builtin_cpu_supports("avx512vnni");
#else
  return 0;
#endif
}

static OrtSession* open_with(JNIEnv* env, const char* model, int threads, const char* exact) {
  OrtSessionOptions* options = 0;
  OrtSession* session = 0;
  if (failed(env, api->CreateSessionOptions(&options))) return 0;
  if (!failed(env, api->SetIntraOpNumThreads(options, threads)) && !failed(env, api->SetInterOpNumThreads(options, 1)) &&
      !failed(env, api->AddSessionConfigEntry(options, "session.force_spinning_stop", "1")) &&
      !failed(env, api->AddSessionConfigEntry(options, "session.x64quantprecision", exact)) &&
      !failed(env, api->DisableCpuMemArena(options)) && !failed(env, api->DisableMemPattern(options)) &&
      failed(env, api->CreateSession(environment, model, options, &session)))
    session = 0;
  api->ReleaseSessionOptions(options);
  return session;
}

// The options are those of toolkit/runtimes/onnxruntime/runner.py, but without an arena: on phones it is not measured.
static OrtSession* open_model(JNIEnv* env, const char* model, int threads) {
  if (saturates()) {
    OrtSession* session = open_with(env, model, threads, "1");
    if (session) return session;
    (*env)->ExceptionClear(env);
  }
  return open_with(env, model, threads, "0");
}

JNIEXPORT jlong JNICALL Java_edgekit_phone_runtime_Native_open(JNIEnv* env, jclass self, jstring library, jstring model,
                                                            jint threads) {
  (void)self;
  const char* name = (*env)->GetStringUTFChars(env, library, 0);
  const char* path = name ? (*env)->GetStringUTFChars(env, model, 0) : 0;
  OrtSession* session = path && load(env, name) ? open_model(env, path, threads) : 0;
  if (path) (*env)->ReleaseStringUTFChars(env, model, path);
  if (name) (*env)->ReleaseStringUTFChars(env, library, name);
  return (jlong)(intptr_t)session;
}

JNIEXPORT jstring JNICALL Java_edgekit_phone_runtime_Native_version(JNIEnv* env, jclass self) {
  (void)self;
  return (*env)->NewStringUTF(env, runtime ? runtime->GetVersionString() : "");
}

JNIEXPORT void JNICALL Java_edgekit_phone_runtime_Native_close(JNIEnv* env, jclass self, jlong session) {
  (void)env, (void)self;
  if (session) api->ReleaseSession((OrtSession*)(intptr_t)session);
}

JNIEXPORT void JNICALL Java_edgekit_phone_runtime_Native_release(JNIEnv* env, jclass self, jlong value) {
  (void)env, (void)self;
  if (value) api->ReleaseValue(value_of(value));
}

// A new tensor of `size` bytes; its memory is given in `data`.
static OrtValue* fresh(JNIEnv* env, jlongArray shape, ONNXTensorElementDataType type, void** data) {
  int64_t axes[kMostAxes];
  const jsize count = (*env)->GetArrayLength(env, shape);
  OrtValue* value = 0;
  if (count > kMostAxes) {
    fail(env, "a tensor has too many axes");
    return 0;
  }
  (*env)->GetLongArrayRegion(env, shape, 0, count, (jlong*)axes);
  if (failed(env, api->CreateTensorAsOrtValue(allocator, axes, (size_t)count, type, &value))) return 0;
  if (failed(env, api->GetTensorMutableData(value, data))) {
    api->ReleaseValue(value);
    return 0;
  }
  return value;
}

// The caller has checked that `values` fill `shape`.
JNIEXPORT jlong JNICALL Java_edgekit_phone_runtime_Native_floats(JNIEnv* env, jclass self, jfloatArray values,
                                                              jlongArray shape) {
  (void)self;
  void* data = 0;
  OrtValue* value = fresh(env, shape, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, &data);
  if (value) (*env)->GetFloatArrayRegion(env, values, 0, (*env)->GetArrayLength(env, values), data);
  return (jlong)(intptr_t)value;
}

JNIEXPORT jlong JNICALL Java_edgekit_phone_runtime_Native_longs(JNIEnv* env, jclass self, jlongArray values,
                                                             jlongArray shape) {
  (void)self;
  void* data = 0;
  OrtValue* value = fresh(env, shape, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64, &data);
  if (value) (*env)->GetLongArrayRegion(env, values, 0, (*env)->GetArrayLength(env, values), data);
  return (jlong)(intptr_t)value;
}

JNIEXPORT jlong JNICALL Java_edgekit_phone_runtime_Native_ints(JNIEnv* env, jclass self, jintArray values,
                                                            jlongArray shape) {
  (void)self;
  void* data = 0;
  OrtValue* value = fresh(env, shape, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32, &data);
  if (value) (*env)->GetIntArrayRegion(env, values, 0, (*env)->GetArrayLength(env, values), data);
  return (jlong)(intptr_t)value;
}

// `type` is one of a byte.
JNIEXPORT jlong JNICALL Java_edgekit_phone_runtime_Native_bytes(JNIEnv* env, jclass self, jbyteArray values,
                                                             jlongArray shape, jint type) {
  (void)self;
  void* data = 0;
  OrtValue* value = fresh(env, shape, (ONNXTensorElementDataType)type, &data);
  if (value) (*env)->GetByteArrayRegion(env, values, 0, (*env)->GetArrayLength(env, values), data);
  return (jlong)(intptr_t)value;
}

// Type (ONNX's number) of the values, their number, and where they are. 0 if the runtime does not tell.
static ONNXTensorElementDataType look(JNIEnv* env, jlong handle, size_t* count, void** data) {
  OrtTensorTypeAndShapeInfo* info = 0;
  ONNXTensorElementDataType type = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
  if (failed(env, api->GetTensorTypeAndShape(value_of(handle), &info))) return type;
  if (failed(env, api->GetTensorElementType(info, &type)) || failed(env, api->GetTensorShapeElementCount(info, count)) ||
      failed(env, api->GetTensorMutableData(value_of(handle), data)))
    type = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
  api->ReleaseTensorTypeAndShapeInfo(info);
  if (*count > 0x7fffffff) {
    fail(env, "a tensor is larger than an array of Java");
    return ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
  }
  return type;
}

JNIEXPORT jint JNICALL Java_edgekit_phone_runtime_Native_type(JNIEnv* env, jclass self, jlong value) {
  (void)self;
  size_t count = 0;
  void* data = 0;
  return (jint)look(env, value, &count, &data);
}

JNIEXPORT jlongArray JNICALL Java_edgekit_phone_runtime_Native_shape(JNIEnv* env, jclass self, jlong value) {
  (void)self;
  OrtTensorTypeAndShapeInfo* info = 0;
  int64_t axes[kMostAxes];
  size_t count = 0;
  jlongArray shape = 0;
  if (failed(env, api->GetTensorTypeAndShape(value_of(value), &info))) return 0;
  if (!failed(env, api->GetDimensionsCount(info, &count))) {
    if (count > kMostAxes)
      fail(env, "a tensor has too many axes");
    else if (!failed(env, api->GetDimensions(info, axes, count)) && (shape = (*env)->NewLongArray(env, (jsize)count)))
      (*env)->SetLongArrayRegion(env, shape, 0, (jsize)count, (const jlong*)axes);
  }
  api->ReleaseTensorTypeAndShapeInfo(info);
  return shape;
}

JNIEXPORT jfloatArray JNICALL Java_edgekit_phone_runtime_Native_toFloats(JNIEnv* env, jclass self, jlong value) {
  (void)self;
  size_t count = 0;
  void* data = 0;
  if (look(env, value, &count, &data) != ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT) return 0;
  jfloatArray array = (*env)->NewFloatArray(env, (jsize)count);
  if (array) (*env)->SetFloatArrayRegion(env, array, 0, (jsize)count, data);
  return array;
}

JNIEXPORT jlongArray JNICALL Java_edgekit_phone_runtime_Native_toLongs(JNIEnv* env, jclass self, jlong value) {
  (void)self;
  size_t count = 0;
  void* data = 0;
  if (look(env, value, &count, &data) != ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64) return 0;
  jlongArray array = (*env)->NewLongArray(env, (jsize)count);
  if (array) (*env)->SetLongArrayRegion(env, array, 0, (jsize)count, data);
  return array;
}

JNIEXPORT jintArray JNICALL Java_edgekit_phone_runtime_Native_toInts(JNIEnv* env, jclass self, jlong value) {
  (void)self;
  size_t count = 0;
  void* data = 0;
  if (look(env, value, &count, &data) != ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32) return 0;
  jintArray array = (*env)->NewIntArray(env, (jsize)count);
  if (array) (*env)->SetIntArrayRegion(env, array, 0, (jsize)count, data);
  return array;
}

JNIEXPORT jbyteArray JNICALL Java_edgekit_phone_runtime_Native_toBytes(JNIEnv* env, jclass self, jlong value) {
  (void)self;
  size_t count = 0;
  void* data = 0;
  const ONNXTensorElementDataType type = look(env, value, &count, &data);
  if (type != ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8 && type != ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8 &&
      type != ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL)
    return 0;
  jbyteArray array = (*env)->NewByteArray(env, (jsize)count);
  if (array) (*env)->SetByteArrayRegion(env, array, 0, (jsize)count, data);
  return array;
}

// The characters of `count` names; what was taken is given back by `forget`. Returns how many were taken.
static jsize take(JNIEnv* env, jobjectArray names, const char** into) {
  const jsize count = (*env)->GetArrayLength(env, names);
  for (jsize i = 0; i < count; ++i) {
    jstring name = (*env)->GetObjectArrayElement(env, names, i);
    into[i] = name ? (*env)->GetStringUTFChars(env, name, 0) : 0;
    (*env)->DeleteLocalRef(env, name);
    if (!into[i]) return i;
  }
  return count;
}

static void forget(JNIEnv* env, jobjectArray names, const char** taken, jsize count) {
  for (jsize i = 0; i < count; ++i) {
    jstring name = (*env)->GetObjectArrayElement(env, names, i);
    (*env)->ReleaseStringUTFChars(env, name, taken[i]);
    (*env)->DeleteLocalRef(env, name);
  }
}

// Handles of the outputs that `wanted` names, in `results`, which is as long.
JNIEXPORT void JNICALL Java_edgekit_phone_runtime_Native_run(JNIEnv* env, jclass self, jlong session, jobjectArray names,
                                                          jlongArray values, jobjectArray wanted, jlongArray results) {
  (void)self;
  const char *fed[kMostTensors], *asked[kMostTensors];
  jlong handles[kMostTensors];
  OrtValue* made[kMostTensors];
  const jsize inputs = (*env)->GetArrayLength(env, names), outputs = (*env)->GetArrayLength(env, wanted);
  if (inputs > kMostTensors || outputs > kMostTensors) {
    fail(env, "the graph has too many inputs or outputs");
    return;
  }
  for (jsize i = 0; i < outputs; ++i) made[i] = 0;
  (*env)->GetLongArrayRegion(env, values, 0, inputs, handles);
  const jsize had = take(env, names, fed), want = take(env, wanted, asked);
  if (had == inputs && want == outputs &&
      !failed(env, api->Run((OrtSession*)(intptr_t)session, 0, fed, (const OrtValue* const*)handles, (size_t)inputs,
                            asked, (size_t)outputs, made)))
    (*env)->SetLongArrayRegion(env, results, 0, outputs, (const jlong*)made);
  forget(env, names, fed, had);
  forget(env, wanted, asked, want);
}
