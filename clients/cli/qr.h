/* qr: a text as a QR code on a terminal. */
#ifndef SEALMQ_CLI_QR_H
#define SEALMQ_CLI_QR_H

/* qr_print: on standard output, dark on light whatever the terminal's colours are, two rows of the code in a line. The text
 * is read in upper case: letters, digits and ':' take less room so. Where there is no code of it nothing is printed. */
void qr_print(const char *text);

#endif
