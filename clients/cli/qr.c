/* qr: draws with half blocks of UTF-8. The code itself is libqrencode's. */
#include "clients/cli/qr.h"

#include <qrencode.h>
#include <stdbool.h>
#include <stdio.h>

#define MARGIN 4 /* light modules around it, as a scanner wants them */

static bool is_dark(const QRcode *code, int x, int y)
{
    if (x < 0 || y < 0 || x >= code->width || y >= code->width) return false;
    return code->data[y * code->width + x] & 1;
}

static void line_print(const QRcode *code, int y)
{
    static const char *const blocks[] = {" ", "\u2584", "\u2580", "\u2588"}; /* none, lower, upper, both */
    printf("\033[30;107m");
    for (int x = -MARGIN; x < code->width + MARGIN; x++)
        printf("%s", blocks[2 * is_dark(code, x, y) + is_dark(code, x, y + 1)]);
    printf("\033[0m\n");
}

void qr_print(const char *text)
{
    QRcode *code = QRcode_encodeString(text, 0, QR_ECLEVEL_L, QR_MODE_8, 0);
    if (code == NULL) return;
    for (int y = -MARGIN; y < code->width + MARGIN; y += 2)
        line_print(code, y);
    QRcode_free(code);
}
