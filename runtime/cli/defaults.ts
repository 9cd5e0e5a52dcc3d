export const defaultSocket = '/run/hull/hull.sock';
