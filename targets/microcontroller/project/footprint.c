/* The smallest firmware that runs the network: what flash and RAM are reported from. */
#include "network.h"

int main(void) {
    network_init();
    network_invoke();
    return 0;
}
