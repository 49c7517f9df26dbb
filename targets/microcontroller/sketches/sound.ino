// Listens to recorded sound. Replace audioRead() by your microphone: int16, mono, 16 kHz.
#include <NAME.h>

#include <string.h>

#define GOLDEN_DATA
#include "golden_audio.h"

static int16_t samples[320];
static size_t heard;

static size_t audioRead(int16_t *to, size_t count) {
  size_t left = GOLDEN_SAMPLES - heard;
  size_t taken = count < left ? count : left;
  memcpy(to, golden_audio + heard, taken * sizeof *to);
  heard += taken;
  return taken;
}

void setup() {
  Serial.begin(115200);
  detector_reset();
}

void loop() {
  size_t count = audioRead(samples, 320);
  if (count == 0) {
    return;
  }
  uint8_t score = 0;
  int detected = detector_push(samples, count, &score);
  if (detected >= 0) {
    Serial.print(detector_labels[detected]);
    Serial.print(' ');
    Serial.println(score);
  }
}
