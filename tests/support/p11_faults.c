/* A PKCS#11 module that hands every call on to SoftHSM, counts logins, and fails where a test asks for it.
 *
 * FAULTS_MODULE is the module behind it, FAULTS_FOLDER a folder whose files are the faults:
 *   logins       (written here) one line for each C_Login: the user type
 *   locked       the PIN is locked: C_GetTokenInfo says so, C_Login returns CKR_PIN_LOCKED
 *   final-try    C_GetTokenInfo says that one try is left
 *   no-pss       the mechanism list has no PSS
 *   other-salt   PSS is made with a salt of 20 bytes, whatever is asked for
 *   pulled       C_Sign returns CKR_DEVICE_REMOVED once
 *   absent       C_GetSlotList shows no token
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef unsigned long number;
typedef number (*call1)(void *);
typedef number (*call2)(number, void *);
typedef number (*call3)(unsigned char, number *, number *);
typedef number (*call3m)(number, number *, number *);
typedef number (*call_login)(number, number, void *, number);
typedef number (*call_init)(number, void *, number);
typedef number (*call_sign)(number, void *, number, void *, number *);

/* CK_FUNCTION_LIST of PKCS#11 2.40: a version and 68 functions in this order. */
enum { INITIALIZE = 0, FINALIZE = 1, SLOT_LIST = 4, TOKEN_INFO = 6, MECHANISM_LIST = 7, LOGIN = 18,
       SIGN_INIT = 42, SIGN = 43, COUNT = 68 };
struct functions { unsigned char version[2]; void *entry[COUNT]; };
struct mechanism { number mechanism; number *parameter; number length; };
struct token_info { unsigned char texts[96]; number flags; };

static struct functions *real, mine;

static char *path_of(const char *name) {
    static __thread char path[4096];
    snprintf(path, sizeof path, "%s/%s", getenv("FAULTS_FOLDER"), name);
    return path;
}
static int asked(const char *name) { return access(path_of(name), F_OK) == 0; }

static number initialize(void *arguments) {
    number result = ((call1) real->entry[INITIALIZE])(arguments);
    return result == 0x191 ? 0 : result; /* CKR_CRYPTOKI_ALREADY_INITIALIZED: by the test, without us */
}
static number finalize(void *reserved) { (void) reserved; return 0; }

static number slot_list(unsigned char present, number *slots, number *count) {
    if (asked("absent")) { *count = 0; return 0; }
    return ((call3) real->entry[SLOT_LIST])(present, slots, count);
}
static number token_info(number slot, struct token_info *info) {
    number result = ((call2) real->entry[TOKEN_INFO])(slot, info);
    if (result == 0 && asked("locked")) info->flags |= 0x40000;
    if (result == 0 && asked("final-try")) info->flags |= 0x20000;
    return result;
}
static number mechanism_list(number slot, number *list, number *count) {
    number result = ((call3m) real->entry[MECHANISM_LIST])(slot, list, count);
    if (result == 0 && list && asked("no-pss"))
        for (number i = 0; i < *count; i++)
            if (list[i] == 0xD || list[i] == 0x43) list[i] = 0;
    return result;
}
static number login(number session, number user, void *pin, number length) {
    FILE *log = fopen(path_of("logins"), "a");
    fprintf(log, "%lu\n", user);
    fclose(log);
    if (asked("locked")) return 0xA4; /* CKR_PIN_LOCKED */
    return ((call_login) real->entry[LOGIN])(session, user, pin, length);
}
static number sign_init(number session, struct mechanism *given, number key) {
    struct mechanism changed = *given;
    number parameters[3];
    if (given->length == sizeof parameters && asked("other-salt")) {
        memcpy(parameters, given->parameter, sizeof parameters);
        parameters[2] = 20;
        changed.parameter = parameters;
    }
    return ((call_init) real->entry[SIGN_INIT])(session, &changed, key);
}
static number sign(number session, void *data, number length, void *signature, number *size) {
    if (asked("pulled")) { unlink(path_of("pulled")); return 0x32; } /* CKR_DEVICE_REMOVED */
    return ((call_sign) real->entry[SIGN])(session, data, length, signature, size);
}

number C_GetFunctionList(struct functions **list) {
    void *module = dlopen(getenv("FAULTS_MODULE"), RTLD_NOW);
    if (!module) return 5;
    number (*get)(struct functions **) = (number (*)(struct functions **)) dlsym(module, "C_GetFunctionList");
    number result = get(&real);
    if (result) return result;
    mine = *real;
    mine.entry[INITIALIZE] = initialize;
    mine.entry[FINALIZE] = finalize;
    mine.entry[SLOT_LIST] = slot_list;
    mine.entry[TOKEN_INFO] = token_info;
    mine.entry[MECHANISM_LIST] = mechanism_list;
    mine.entry[LOGIN] = login;
    mine.entry[SIGN_INIT] = sign_init;
    mine.entry[SIGN] = sign;
    *list = &mine;
    return 0;
}
