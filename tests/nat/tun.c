/*
 * tun NAME PROGRAM [ARGUMENT]...
 *
 * Makes the TUN device NAME, which lives as long as somebody has it open, and becomes PROGRAM with the device as its input:
 * there it reads the packets that are sent to the device, and writes those that come from it.
 */
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int main(int count, char **words) {
    struct ifreq request;
    int device;

    if (count < 3 || strlen(words[1]) >= sizeof request.ifr_name) {
        fputs("tun NAME PROGRAM [ARGUMENT]...\n", stderr);
        return 2;
    }
    device = open("/dev/net/tun", O_RDWR);
    memset(&request, 0, sizeof request);
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    strcpy(request.ifr_name, words[1]);
    if (device < 0 || ioctl(device, TUNSETIFF, &request) < 0 || dup2(device, 0) < 0 || (device != 0 && close(device) < 0)) {
        perror("/dev/net/tun");
        return 1;
    }
    execv(words[2], words + 2);
    perror(words[2]);
    return 1;
}
