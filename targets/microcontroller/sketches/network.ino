// One inference on the first golden input. Replace the input by your own.
#include <NAME.h>

#include <string.h>

#define GOLDEN_DATA
#include "golden_vectors.h"

void setup() {
  Serial.begin(115200);
  network_init();
}

void loop() {
  ek_tensor input = network_input(0);
  memcpy(input.data, golden_inputs[0], input.bytes);
  unsigned long start = micros();
  network_invoke();
  unsigned long taken = micros() - start;
  ek_tensor output = network_output(0);
  for (uint32_t i = 0; i < output.bytes; i++) {
    Serial.print(((const int8_t *)output.data)[i]);
    Serial.print(' ');
  }
  Serial.print(taken);
  Serial.println(" us");
  delay(1000);
}
